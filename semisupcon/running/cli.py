"""The command line that pretrain.py and finetune.py share, on LightningCLI."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, LearningRateMonitor
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from semisupcon import checkpoint
from semisupcon.errors import UserError
from semisupcon.running.callbacks import BadFiles, Checkpoints, Record
from semisupcon.running.folder import run_folder, taken_back
from semisupcon.running.given import explicit_none, options
from semisupcon.running.history import History
from semisupcon.running.parser import Help, Parser
from semisupcon.running.refusal import refused

log = logging.getLogger(__name__)


class Command(LightningCLI):
    """One command: parse, instantiate, make the run's folder; ``run_command`` does the work.

    Subclasses set ``name``, ``script``, ``about`` (how --help begins) and ``base`` (a config to begin with), and say in
    ``check`` what can only be known from model and data together. Nothing is written before all of it holds.
    """

    name = "run"
    script = ""
    about = ""
    base = ""
    trainer_settings: ClassVar[dict[str, Any]] = {}
    bounds: ClassVar[dict[str, tuple[int, float]]] = {
        "seed_everything": (0, 2**32 - 1),
        "checkpoint.every_n_steps": (1, math.inf),
        "data.num_workers": (0, math.inf),
        "data.split_seed": (0, math.inf),
    }
    """What options may be that would else fail late."""
    linked: ClassVar[dict[str, str]] = {"data.seed": "seed_everything"}
    """Options that follow another one."""

    def __init__(
        self, model_class: Any, datamodule_class: Any, args: list[str] | None = None, subclass_mode_model: bool = False
    ) -> None:
        self.folder: Path | None = None
        self._options: dict[str, str] = {}
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

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """A parser whose help begins with what the command is."""
        kwargs |= {"prog": f"python {self.script}", "description": self.about, "formatter_class": Help}
        kwargs |= {"usage": "%(prog)s --config FILE [--option=value ...]", "allow_abbrev": False}
        return super().init_parser(**kwargs)

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
        args = list(sys.argv[1:] if args is None else args)
        assert isinstance(parser, Parser)
        parser.base = self.base
        parser.given = options(args)  # beforehand, since a config file that cannot be read is named so
        self.config = parser.parse_args(self.spell(args))
        for name, (least, most) in self.bounds.items():
            if name in self.config and not least <= self.config[name] <= most:
                wanted = f"at least {least}" if math.isinf(most) else f"{least} to {most}"
                raise UserError(f"--{name}={self.config[name]}: {wanted} is needed.")
        for name, leader in self.linked.items():
            for given in parser.given:
                if given.means(name) and given.value != str(self.config[leader]):
                    raise UserError(f"{given}: this follows --{leader}={self.config[leader]}; change that one.")

    def spell(self, args: list[str]) -> list[str]:
        """The arguments as the parser understands them."""
        return explicit_none(args)

    def check(self) -> None:
        """Raise a UserError for what cannot work, before anything is written."""

    def callbacks(self, folder: Path) -> list[Callback]:
        """More callbacks of the command."""
        return []

    def instantiate_classes(self) -> None:
        """Build data and model, then the trainer; a value that a constructor refuses is the user's to change."""
        self._options = {path.rpartition(".")[2]: option for option, path in _classes(self.config)}
        self._options[self._datamodule_class.__name__] = "data"
        self.config["data"]["seed"] = int(self.config["seed_everything"])  # which is drawn by now where it was true
        with refused(self._options):
            self.config_init = self.parser.instantiate_classes(self.config)
            self.datamodule, self.model = self.config_init["data"], self.config_init["model"]
            self._try_optimizer()
        self.trainer = self.instantiate_trainer()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Check, make the folder, and give the trainer its loggers and callbacks; if it refuses, the folder goes."""
        self.check()
        self._check_resumed()
        with taken_back(self.config["ckpt_path"], self._folder) as self.folder, refused({"Trainer": "trainer"}):
            return self._trainer(self.folder, **kwargs)

    def run_command(self) -> None:
        """Train."""
        resumed = self.config["resume_from_ckpt"]
        self.trainer.fit(self.model, datamodule=self.datamodule, ckpt_path=resumed, weights_only=True)
        log.info(f"\nThe run's folder: {self.folder}")

    def _trainer(self, folder: Path, **kwargs: Any) -> Trainer:
        history = History(folder / "metrics.csv")
        bad_files = BadFiles(folder)
        self.config_init["checkpoint"].folder = folder
        trainer_config = self.config_init["trainer"]
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

    def _try_optimizer(self) -> None:
        """Build optimizer and schedule for a single number, so that what they refuse is known now."""
        optimizer = self.model.optimizer([torch.nn.Parameter(torch.zeros(1, 1))])
        if self.model.scheduler is not None:
            self.model.scheduler(optimizer)

    def _check_resumed(self) -> None:
        """Refuse a checkpoint that training cannot go on from with this model."""
        path = self.config["resume_from_ckpt"]
        if path is None:
            return
        content = checkpoint.load(path)
        if not {"loops", "optimizer_states", "pytorch-lightning_version"} <= set(content):
            raise UserError(
                f"--resume_from_ckpt={path}: it holds weights, but not the state of training to go on from."
            )
        there, here = _shapes(content["state_dict"]), _shapes(self.model.state_dict())
        parts = {name.partition(".")[0] for name in here}  # finetune.py builds the head later
        names = [name for name in {**here, **there} if name.partition(".")[0] in parts]
        wrong = [f"  {n}: {there.get(n)} in it, {here.get(n)} here" for n in names if there.get(n) != here.get(n)]
        if wrong:
            more = [f"  ... and {len(wrong) - 8} more"] if len(wrong) > 8 else []
            raise UserError(
                f"--resume_from_ckpt={path}: its weights do not fit this model ({len(wrong)} differences):\n"
                + "\n".join(wrong[:8] + more)
                + f"\nA run goes on with the options it began with: --config {Path(path).parent / 'config.yaml'}"
            )

    def _folder(self) -> Path:
        resumed, name = self.config["resume_from_ckpt"], self.config["run_name"]
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
        config = self.config.clone()
        config["run_name"] = None  # that is the folder's; another run of this config has another
        path.write_text(self.parser.dump(config, skip_none=False, format="yaml"))


def _classes(config: Any) -> Iterator[tuple[str, str]]:
    """Every option that is given by a class_path, and the class."""
    for name, value in config.items():
        if name.endswith(".class_path"):
            yield name.removesuffix(".class_path"), str(value)


def _shapes(state: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(getattr(value, "shape", ())) for name, value in state.items()}
