"""From a value that a constructor refuses to the option it was given by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from lightning_fabric.utilities.exceptions import MisconfigurationException

from semisupcon.errors import UserError

_WELL_KNOWN = ("semisupcon", "torch", "pytorch_lightning", "lightning_fabric")


@contextmanager
def refused(options: Mapping[str, str]) -> Iterator[None]:
    """Turn what a constructor says of its arguments, by a ValueError or Lightning's own error, into a UserError.

    Any other exception is a bug and keeps its traceback, taken out of the parser's errors where those hide it.

    Args:
        options: class name -> the option it was given by, such as ``Cosine`` -> ``model.similarity``.

    Raises:
        UserError: naming the option and what is wrong.
    """
    try:
        yield
    except Exception as caught:
        error = _innermost(caught)
        if isinstance(error, (ValueError, MisconfigurationException, ModuleNotFoundError)):
            raise UserError(_said(error, options)) from None
        raise error from None


def _innermost(error: BaseException) -> BaseException:
    """What a constructor raised, out of the errors that the parser raises because of it."""
    while error.__cause__ is not None and not isinstance(error, UserError):
        error = error.__cause__
    return error


def _said(error: BaseException, options: Mapping[str, str]) -> str:
    where, line = "", ""
    for cls, file, number in _constructors(error.__traceback__):
        if cls.__name__ in options:
            option = options[cls.__name__]
            where = f"--{option} ({cls.__name__}): " if "." in option else f"--{option}: "
        if cls.__module__.partition(".")[0] not in _WELL_KNOWN:  # the user's own class, who may want to look
            line = f"\n({type(error).__name__} in {file}, line {number})"
    return f"{where}{str(error).strip() or type(error).__name__}{line}"


def _constructors(trace: TracebackType | None) -> Iterator[tuple[type, Path, int]]:
    """The constructors that a traceback goes through, outermost first: class, file and line."""
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_name == "__init__" and "self" in frame.f_locals:
            yield type(frame.f_locals["self"]), Path(frame.f_code.co_filename), trace.tb_lineno
        trace = trace.tb_next
