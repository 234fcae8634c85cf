"""The two kinds of trouble that are not bugs: a request that cannot be met, and a file that cannot be read."""

import difflib
from collections.abc import Iterable
from pathlib import Path


class UserError(Exception):
    """Something the user asked for cannot be done; the message says what was found, where, and what to do.

    The entry points print it as it is, on one screen and without a traceback, and exit with status 2.
    """


class BadAudio(Exception):
    """An audio file that gives no usable samples. It is named, counted and left out; it never stops a run."""

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:  # so that it survives the way out of a worker process
        return type(self), (self.path, self.reason)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean X?``, to be put behind a sentence; empty where nothing known is like ``name``."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""
