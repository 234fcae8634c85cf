"""How a command starts and how it ends when something is wrong: one screen, no traceback."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import warnings
from collections.abc import Callable

from semisupcon.errors import UserError

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_memory() -> None:
    """Let glibc keep the big blocks that every training step frees and asks for again.

    Handing them back to the system each time makes a step on a CPU up to twice as slow (shared/FACTS.md).
    """
    if sys.platform != "linux" or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return  # another C library: nothing lost but speed
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def quiet() -> None:
    """Our own messages in one plain format; Lightning's hints that are no news here off."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr, force=True)
    logging.getLogger("semisupcon").setLevel(logging.INFO)
    for chatty in ("pytorch_lightning.utilities.rank_zero", "lightning_fabric.utilities.seed"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")  # ours is, by MixedBatchSampler
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory.*exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
    warnings.filterwarnings("ignore", message=".*GPU available but not used.*")


def run(command: Callable[[], None]) -> int:
    """Run a command's main function.

    Returns:
        exit status: 0, or 2 where the user asked for something that cannot be done, after saying what.
    """
    keep_memory()
    quiet()
    try:
        command()
    except UserError as error:
        sys.stderr.write(f"\nerror: {error}\n")
        return 2
    return 0
