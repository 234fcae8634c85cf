"""The command line that pretrain.py and finetune.py share, on LightningCLI."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, ProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from semisupcon.errors import UserError
from semisupcon.running.callbacks import BadFiles, Record
from semisupcon.running.checkpoints import Checkpoints
from semisupcon.running.folder import run_folder, taken_back
from semisupcon.running.given import explicit_none, options
from semisupcon.running.history import History
from semisupcon.running.parser import Help, Parser
from semisupcon.running.progress import StepsBar
from semisupcon.running.refusal import refused
from semisupcon.running.resume import check_checkpoint, check_data, whole

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
        "checkpoint.every_minutes": (0, math.inf),
        "data.num_workers": (0, math.inf),
        "data.max_bad_share": (0, 1),
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
        self._data_there: dict[str, Any] = {}
        self._wandb: str | None = None
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
        parser.add_argument(
            "--include", type=list[str] | str | None, default=None, help="In a config: others to be read before it."
        )
        parser.add_argument("--log", type=bool, default=False, help="Log to W&B (WANDB_MODE=offline works too).")
        parser.add_argument("--ckpt_path", type=str, default="runs", help="The folder that runs are kept in.")
        parser.add_argument("--run_name", type=str | None, default=None, help="This run's folder in it; None = date.")
        parser.add_argument(
            "--resume_from_ckpt",
            type=str | None,
            default=None,
            help="A checkpoint to go on from, in its folder unless --run_name says otherwise, and by the config there "
            "unless --config names another.",
        )
        parser.add_lightning_class_args(Checkpoints, "checkpoint")
        parser.link_arguments("seed_everything", "data.seed", compute_fn=int)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the command line, after ``spell``ing it out."""
        args = whole(args)
        assert isinstance(parser, Parser)
        parser.base = self.base
        parser.given = options(args)  # beforehand, since a config file that cannot be read is named so
        for each in parser.given:
            if each.option == "include" and each.config is None:
                raise UserError(f"{each}: a config includes others; on the command line give --config={each.value}.")
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
        resumed = self.config["resume_from_ckpt"]
        if resumed is not None:
            content = check_checkpoint(resumed, self.model)
            self._data_there = content.get(type(self.datamodule).__qualname__, {})
        with taken_back(self.config["ckpt_path"], self._folder) as self.folder, refused({"Trainer": "trainer"}):
            return self._trainer(self.folder, **kwargs)

    def run_command(self) -> None:
        """Train."""
        resumed = self.config["resume_from_ckpt"]
        self.trainer.fit(self.model, datamodule=self.datamodule, ckpt_path=resumed, weights_only=True)
        log.info(f"\nThe run's folder: {self.folder}")

    def _trainer(self, folder: Path, **kwargs: Any) -> Trainer:
        history = History(folder / "metrics.csv")
        bad_files = BadFiles(folder, self.datamodule.bad)
        self.config_init["checkpoint"].folder = folder
        trainer_config = self.config_init["trainer"]
        own = [
            bad_files,
            Record(folder, history, bad_files, self.datamodule),
            LearningRateMonitor("step"),
            *self.callbacks(folder),
        ]
        users = trainer_config["callbacks"] or []
        users = users if isinstance(users, list) else [users]
        kwargs["callbacks"] = [*users, *own, *self._bar(users)]
        kwargs["default_root_dir"] = trainer_config["default_root_dir"] or str(folder)  # else SLURM's go to the cwd
        kwargs["logger"] = [history, *self._loggers(trainer_config["logger"], folder)]
        trainer = super().instantiate_trainer(**kwargs)
        if self.config["resume_from_ckpt"] is not None:
            here = {**self.datamodule.state_dict(), "world_size": trainer.world_size}
            check_data(self.config["resume_from_ckpt"], self._data_there, here)
        self._write_config(folder)
        for logger in trainer.loggers:
            logger.log_hyperparams(self.config.as_dict())
        return trainer

    def _try_optimizer(self) -> None:
        """Build optimizer and schedule for a single number, so that what they refuse is known now."""
        optimizer = self.model.optimizer([torch.nn.Parameter(torch.zeros(1, 1))])
        if self.model.scheduler is not None:
            self.model.scheduler(optimizer)

    def _folder(self) -> Path:
        resumed, name = self.config["resume_from_ckpt"], self.config["run_name"]
        if resumed is not None and name is None:
            return Path(resumed).parent
        if getattr(rank_zero_only, "rank", 0):  # another process makes it; Checkpoints hears of it from there
            return Path(self.config["ckpt_path"])
        return run_folder(self.config["ckpt_path"], name, self.name)

    def _bar(self, users: list[Callback]) -> list[Callback]:
        """Our progress bar where steps alone limit the run and the user has not decided otherwise."""
        given = self.config_init["trainer"]
        by_steps = (given["max_steps"] or -1) > 0 and given["max_epochs"] in (None, -1)
        off = given["enable_progress_bar"] is False or any(isinstance(each, ProgressBar) for each in users)
        return [StepsBar()] if by_steps and not off else []

    def _loggers(self, configured: Any, folder: Path) -> list[Logger]:
        loggers: list[Logger] = []
        if configured is True:
            from pytorch_lightning.loggers import CSVLogger

            loggers.append(CSVLogger(folder, name="csv"))
        elif configured:
            loggers += configured if isinstance(configured, list) else [configured]
        if self.config["log"]:
            from pytorch_lightning.loggers import WandbLogger

            note = folder / "wandb_id.txt"  # written below: a resumed run goes on in the same one
            self._wandb = note.read_text().strip() if note.exists() else uuid.uuid4().hex[:8]
            options: dict[str, Any] = {"id": self._wandb, "resume": "allow"}
            loggers.append(WandbLogger(project="semisupcon", name=folder.name, save_dir=folder, **options))
        return loggers

    @rank_zero_only
    def _write_config(self, folder: Path) -> None:
        path, number = folder / "config.yaml", 1
        while path.exists():  # a resumed run keeps the config it began with beside the new one
            number += 1
            path = folder / f"config-{number}.yaml"
        config = self.config.clone()
        config["run_name"] = None  # that is the folder's; another run of this config has another
        config["include"] = None  # all of it is here
        path.write_text(self.parser.dump(config, skip_none=False, format="yaml"))
        if self._wandb is not None:
            (folder / "wandb_id.txt").write_text(f"{self._wandb}\n")


def _classes(config: Any) -> Iterator[tuple[str, str]]:
    """Every option that is given by a class_path, and the class."""
    for name, value in config.items():
        if name.endswith(".class_path"):
            yield name.removesuffix(".class_path"), str(value)
