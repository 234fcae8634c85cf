"""The command line that pretrain.py and finetune.py share, on LightningCLI."""

from __future__ import annotations

import difflib
import logging
import re
import sys
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, LearningRateMonitor
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from semisupcon.errors import UserError
from semisupcon.running.callbacks import BadFiles, Checkpoints, Record
from semisupcon.running.folder import run_folder
from semisupcon.running.history import History

log = logging.getLogger(__name__)


class Parser(LightningArgumentParser):
    """Errors as UserErrors: what is wrong and the nearest name, without the list of all options."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what argparse would print before it exits."""
        text = str(message).strip()
        names = set(re.findall(r"[Kk]ey '([\w.]+)' is not expected|[Uu]nrecognized arguments: --([\w.]+)", text))
        known = [name for action in self._actions for name in _names(action)]
        hints = []
        for name in {a or b for a, b in names}:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
            tail = [k for k in known if k.rpartition(".")[2] == name.rpartition(".")[2]]
            hints += [f"Did you mean --{' or --'.join(dict.fromkeys(tail + near))}?"] if near or tail else []
        raise UserError("\n".join([text, *hints, f"All options: {Path(sys.argv[0]).name} --help"]))


def _names(action: Any) -> list[str]:
    return [option.removeprefix("--") for option in action.option_strings if option.startswith("--")]


class Command(LightningCLI):
    """One command: parse, instantiate, make the run's folder; ``run_command`` does the work.

    Subclasses set ``name`` and say in ``check`` what can only be known from model and data together.
    """

    name = "run"
    trainer_settings: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, model_class: Any, datamodule_class: Any, args: list[str] | None = None, subclass_mode_model: bool = False
    ) -> None:
        self.folder: Path | None = None
        super().__init__(
            model_class,
            datamodule_class,
            save_config_callback=None,
            seed_everything_default=0,
            trainer_defaults={
                "use_distributed_sampler": False,
                "num_sanity_val_steps": 0,
                "logger": False,
                "enable_model_summary": False,
                "log_every_n_steps": 10,
                **self.trainer_settings,
            },
            parser_class=Parser,
            subclass_mode_model=subclass_mode_model,
            args=args,
            run=False,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The options that are the run's own."""
        parser.add_argument("--log", type=bool, default=False, help="Log to W&B (WANDB_MODE=offline works too).")
        parser.add_argument("--ckpt_path", type=str, default="runs", help="The folder that runs are kept in.")
        parser.add_argument("--run_name", type=str | None, default=None, help="This run's folder in it; None = date.")
        parser.add_argument(
            "--resume_from_ckpt",
            type=str | None,
            default=None,
            help="A checkpoint to go on from, in the folder where it lies unless --run_name says otherwise.",
        )
        parser.add_lightning_class_args(Checkpoints, "checkpoint")
        parser.link_arguments("seed_everything", "data.seed", compute_fn=int)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the command line, after ``spell``ing it out."""
        self.config = parser.parse_args(self.spell(list(sys.argv[1:] if args is None else args)))

    def spell(self, args: list[str]) -> list[str]:
        """The arguments as the parser understands them."""
        return explicit_none(args)

    def check(self) -> None:
        """Raise a UserError for what cannot work, before anything is written."""

    def callbacks(self, folder: Path) -> list[Callback]:
        """More callbacks of the command."""
        return []

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Check, make the folder, and give the trainer its loggers and callbacks."""
        self.check()
        self.folder = folder = self._folder()
        history = History(folder / "metrics.csv")
        bad_files = BadFiles(folder)
        self.config_init["checkpoint"].folder = folder
        trainer_config = self._get(self.config_init, "trainer")
        own = [
            bad_files,
            Record(folder, history, bad_files, self.datamodule),
            LearningRateMonitor("step"),
            *self.callbacks(folder),
        ]
        users = trainer_config["callbacks"] or []
        kwargs["callbacks"] = [*(users if isinstance(users, list) else [users]), *own]
        kwargs["logger"] = [history, *self._loggers(trainer_config["logger"], folder)]
        trainer = super().instantiate_trainer(**kwargs)
        self._write_config(folder)
        for logger in trainer.loggers:
            logger.log_hyperparams(self.config.as_dict())
        return trainer

    def run_command(self) -> None:
        """Train."""
        self.trainer.fit(self.model, datamodule=self.datamodule, ckpt_path=self._resumed(), weights_only=True)
        log.info(f"\nThe run's folder: {self.folder}")

    def _resumed(self) -> str | None:
        """The checkpoint to go on from, found readable."""
        from semisupcon import checkpoint

        path = self.config.get("resume_from_ckpt")
        if path is not None:
            checkpoint.load(path)
        return path

    def _folder(self) -> Path:
        resumed, name = self._resumed(), self.config.get("run_name")
        if getattr(rank_zero_only, "rank", 0):  # another process makes it; Checkpoints hears of it from there
            return Path(self.config["ckpt_path"])
        if resumed is not None and name is None:
            return Path(resumed).parent
        return run_folder(self.config["ckpt_path"], name, self.name)

    def _loggers(self, configured: Any, folder: Path) -> list[Logger]:
        loggers: list[Logger] = []
        if configured is True:
            from pytorch_lightning.loggers import CSVLogger

            loggers.append(CSVLogger(folder, name="csv"))
        elif configured:
            loggers += configured if isinstance(configured, list) else [configured]
        if self.config["log"]:
            from pytorch_lightning.loggers import WandbLogger

            loggers.append(WandbLogger(project="semisupcon", name=folder.name, save_dir=folder))
        return loggers

    @rank_zero_only
    def _write_config(self, folder: Path) -> None:
        path, number = folder / "config.yaml", 1
        while path.exists():  # a resumed run keeps the config it began with beside the new one
            number += 1
            path = folder / f"config-{number}.yaml"
        path.write_text(self.parser.dump(self.config, skip_none=False, format="yaml"))


def explicit_none(args: list[str]) -> list[str]:
    """The arguments with ``None`` spelt as YAML spells it: ``--data.ssl_task=None`` means none."""
    out = [re.sub(r"^(--[\w.]+)=None$", r"\1=null", arg) for arg in args]
    return ["null" if arg == "None" and out[i - 1].startswith("--") else arg for i, arg in enumerate(out)]
