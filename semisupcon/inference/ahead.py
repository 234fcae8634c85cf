"""Decoding ahead of the encoder, in processes of their own and within bounded memory. Knows no torch.

Threads would do for most formats, but while an mp3 is read, file descriptor 2 of the whole process is turned away
(``formats.quiet``), and two threads that do so at once lose it for good.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semisupcon import audio
from semisupcon.audio import Int16
from semisupcon.errors import BadAudio
from semisupcon.workers import Died, Workers, _Worker

HELD = 32 << 20
"""Bytes of samples that may wait for the encoder, beyond those of one track."""

LONG = 32 << 20
"""Bytes from which on a track comes by way of a file: in a pipe it would be in memory four times over."""


DEADLY, TOO_LONG = "ends the process that decodes it", "is too long to be decoded in the memory there is"
"""Reasons why a file gives no audio, with which it is better not tried in this process."""


@dataclass(frozen=True)
class OnDisk:
    """Samples that were too many to send.

    Args:
        path: of the file that holds them, int16.
        samples: how many they are.
    """

    path: str
    samples: int

    def taken(self) -> Int16:
        """The samples, read from the disk where they are used; the file is gone with them."""
        found = np.memmap(self.path, np.int16, "r", shape=(self.samples,))
        Path(self.path).unlink()
        return found


def read(path: str, sample_rate: int, folder: str | None = None, long: int = LONG) -> Int16 | OnDisk:
    """A whole file, as mono int16 at ``sample_rate`` (Hz).

    Args:
        path: of the file.
        sample_rate: Hz.
        folder: where a long track is put; None = it is given back as it is.
        long: bytes from which on a track is long.

    Raises:
        BadAudio: it gives no audio. Whatever else a decoder raises on a strange file becomes one too, so that the
            one file does not stop the thousands behind it.
    """
    try:
        samples = audio.decode(path, sample_rate).samples
    except BadAudio:
        raise
    except MemoryError:
        raise BadAudio(path, TOO_LONG) from None
    except OSError as error:
        raise BadAudio(path, f"cannot be read ({error.strerror or error})") from None
    except Exception as error:
        raise BadAudio(path, f"cannot be decoded ({type(error).__name__}: {error})") from error
    if folder is not None and samples.nbytes > long:
        with contextlib.suppress(OSError):  # the disk is full: it goes the other way
            return _put_down(samples, folder)
    return samples


def _put_down(samples: Int16, folder: str) -> OnDisk:
    handle, name = tempfile.mkstemp(".int16", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(samples.data)
    except OSError:
        Path(name).unlink()
        raise
    return OnDisk(name, len(samples))


def decoded(paths: Sequence[str], sample_rate: int, num_workers: int, folder: str) -> Generator[Int16 | BadAudio]:
    """The samples of files, in order, decoded while those before are in use.

    Args:
        paths: of the files.
        sample_rate: Hz.
        num_workers: processes; 0 = none: each file is decoded here when it is asked for.
        folder: where long tracks may lie for a while.
    """
    if not num_workers:
        here = Workers(0).results(read, [(path, sample_rate) for path in paths])
        yield from (_samples(path, found) for path, found in zip(paths, here, strict=True))
        return
    handover, workers = _Handover(), _Stoppable(num_workers)
    calls = [(path, sample_rate, folder, LONG) for path in paths]
    # In a thread, for Workers hand out and take in only while somebody waits for them, and the encoder does not.
    thread = threading.Thread(target=handover.fill, args=(lambda: _results(calls, workers),), daemon=True)
    thread.start()
    try:
        for path in paths:
            yield _samples(path, handover.take())
    finally:
        handover.stop()
        workers.stop()
        thread.join(1)


def _results(calls: Sequence[tuple[Any, ...]], workers: Workers) -> Generator[Any]:
    with workers:
        yield from workers.results(read, calls, _size)


def _samples(path: str, found: Any) -> Int16 | BadAudio:
    if isinstance(found, Died):
        memory = "; perhaps there was too little memory" if found.how == "SIGKILL" else ""
        return BadAudio(path, f"{DEADLY} ({found.how}{memory})")
    result: Int16 | BadAudio = found.taken() if isinstance(found, OnDisk) else found
    return result


def _size(found: Any) -> int:
    return 2 * found.samples if isinstance(found, OnDisk) else getattr(found, "nbytes", 0)


class _Stopped(Exception):
    """Nobody takes any more."""


class _Stoppable(Workers):
    """Workers of a thread that another one stops: those that die then are not replaced."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._stopped = False

    def stop(self) -> None:
        """End the processes; whoever waits for them is told so when the next is asked for."""
        self._stopped = True
        for worker in tuple(self._workers):
            worker._process.kill()  # by this the thread wakes, and closes what is its own

    def _free(self, wanted: int) -> _Worker | None:
        if self._stopped:
            raise _Stopped
        return super()._free(wanted)


class _Handover:
    """Results on their way from the thread that waits for the processes to the one that runs the encoder."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._held = 0
        self._stopped = False
        self._change = threading.Condition()

    def fill(self, results: Callable[[], Generator[Any]]) -> None:
        """Hand over all results, and the exception that ends them."""
        try:
            with contextlib.closing(results()) as items:
                for item in items:
                    self._put(item)
        except _Stopped:
            pass
        except Exception as error:
            with contextlib.suppress(_Stopped):
                self._put(_Raised(error))

    def take(self) -> Any:
        """The next result."""
        with self._change:
            self._change.wait_for(lambda: self._items)
            item = self._items.popleft()
            self._held -= _size(item)
            self._change.notify_all()
        if isinstance(item, _Raised):
            raise item.error
        return item

    def stop(self) -> None:
        """Nothing more is wanted."""
        with self._change:
            self._stopped = True
            self._change.notify_all()

    def _put(self, item: Any) -> None:
        with self._change:
            self._change.wait_for(lambda: self._stopped or not self._items or self._held + _size(item) <= HELD)
            if self._stopped:
                raise _Stopped
            self._items.append(item)
            self._held += _size(item)
            self._change.notify_all()


@dataclass(frozen=True)
class _Raised:
    error: Exception
