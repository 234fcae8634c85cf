"""What tests of several packages do alike where they train or run a command in their own process."""

import contextlib
import logging
import warnings

from pytorch_lightning import Trainer

from semisupcon.running import screen


def quiet_trainer(**options):
    """A Trainer on the CPU that shows nothing and writes nothing."""
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        **options,
    )


@contextlib.contextmanager
def undone(monkeypatch):
    """What a command does to logging, warnings and memory for its own process is undone."""
    monkeypatch.setattr(screen, "keep_memory", lambda: None)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        yield
    root.handlers[:] = handlers
    root.setLevel(level)
