"""How a command that needs Lightning starts and ends: as any other (``semisupcon.command``), and without its hints."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.utilities import rank_zero_only

from semisupcon.command import keep_memory, plain_messages, status_of, stopped

__all__ = ["keep_memory", "quiet", "run"]


def quiet() -> None:
    """Our own messages in one plain format; Lightning's hints that are no news here off."""
    first = not getattr(rank_zero_only, "rank", 0)  # of several processes one says what all would
    plain_messages(logging.INFO if first else logging.WARNING)
    for chatty in ("pytorch_lightning.utilities.rank_zero", "lightning_fabric.utilities.seed"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")  # ours is, by MixedBatchSampler
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
    warnings.filterwarnings("ignore", message=".*Your `IterableDataset` has `__len__` defined.*")
    warnings.filterwarnings("ignore", message=".*Total length of `list` across ranks is zero.*")  # no val clips
    warnings.filterwarnings("ignore", message=".*GPU available but not used.*")
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")  # what is logged is summed over ranks already


def run(command: Callable[[], None]) -> int:
    """Run a command's main function.

    Returns:
        exit status, as of ``semisupcon.command.run``; what Lightning says of a wrong request is the user's error too.
    """
    keep_memory()
    quiet()
    try:
        return status_of(command, MisconfigurationException)
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Lightning makes an exit of it
            return stopped()
        raise
