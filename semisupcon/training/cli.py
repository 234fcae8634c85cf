"""pretrain.py's command line."""

from __future__ import annotations

from pathlib import Path

from pytorch_lightning.callbacks import Callback
from pytorch_lightning.cli import LightningArgumentParser

from semisupcon.errors import UserError
from semisupcon.loading.datamodule import MixedDataModule
from semisupcon.running.cli import Command
from semisupcon.running.screen import run
from semisupcon.training.callbacks import SimilarityPicture
from semisupcon.training.contrastive import Contrastive


class Pretrain(Command):
    """Contrastive pretraining on mixed batches."""

    name = "pretrain"
    model: Contrastive
    datamodule: MixedDataModule

    def __init__(self, args: list[str] | None = None) -> None:
        super().__init__(Contrastive, MixedDataModule, args)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The picture's options, and one sample rate for data and encoder."""
        super().add_arguments_to_parser(parser)
        parser.add_lightning_class_args(SimilarityPicture, "picture")
        parser.link_arguments("data.target_sr", "model.encoder.init_args.sample_rate")

    def spell(self, args: list[str]) -> list[str]:
        """A folder named on the command line takes the place of the ssl_task that a config names."""
        given = {arg.partition("=")[0] for arg in args}
        folder_only = "--data.data_dir" in given and "--data.ssl_task" not in given
        return super().spell([*args, "--data.ssl_task=null"] if folder_only else args)

    def check(self) -> None:
        """Load the tables now, so that what is wrong with them is said before a folder is made."""
        pools = self.datamodule.pools
        signal = self.model.signal
        if pools.share > 0 and pools.task is not None and pools.task.kind not in signal.kinds:
            raise UserError(
                f"{type(signal).__name__} makes no sense of {pools.task.name}: it is a {pools.task.kind} task, and the "
                f"signal is for {', '.join(sorted(signal.kinds))}.\nGive another --model.signal.class_path."
            )
        if self.model.encoder.sample_rate != self.datamodule.sample_rate:
            raise UserError(
                f"The encoder takes {self.model.encoder.sample_rate} Hz and target_sr is "
                f"{self.datamodule.sample_rate} Hz. Pass --data.target_sr={self.model.encoder.sample_rate}."
            )

    def callbacks(self, folder: Path) -> list[Callback]:
        """None beside those of the command line, which hear where to draw."""
        self.config_init["picture"].folder = folder
        return []


def main() -> int:
    """Parse the command line and pretrain."""
    return run(lambda: Pretrain().run_command())
