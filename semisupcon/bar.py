"""The progress bar of long work: how much is done, how fast, and how long it will take."""

from __future__ import annotations

import sys
import threading

from tqdm import tqdm

# Its own lock is shared with forked processes: one that is killed while it holds it would stop all others for good.
tqdm.set_lock(threading.RLock())

_SECONDS, _SECONDS_IN_A_LOG = 0.2, 30.0


def bar(total: int, what: str, unit: str, leave: bool = True) -> tqdm:
    """A bar on the terminal; in a log file a line now and then.

    Args:
        total: how much there is to do.
        what: what is done.
        unit: of ``total``, such as ``file``; bytes (``B``) are counted in thousands and millions.
        leave: whether it stays on the terminal when it is done.
    """
    shown = sys.stderr is not None and not sys.stderr.closed  # a service may have none
    return tqdm(
        total=total,
        desc=what,
        unit=unit if unit == "B" else f" {unit}",
        unit_scale=unit == "B",
        mininterval=_SECONDS if shown and sys.stderr.isatty() else _SECONDS_IN_A_LOG,
        dynamic_ncols=True,
        disable=not total or not shown,
        leave=leave,
    )
