"""From an audio file to the page, and the picture, of what the augmentations do to it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semisupcon import audio
from semisupcon.augment.listening import plots
from semisupcon.augment.listening.options import LEAST, Options, parse
from semisupcon.augment.listening.page import MARK, Heading, page
from semisupcon.augment.listening.render import Sound, Studio
from semisupcon.augment.presets import PRESETS
from semisupcon.bar import bar
from semisupcon.errors import BadAudio, UserError

_HEAD = 1000  # bytes in which a page or a picture says what it is


def main(args: Sequence[str] | None = None) -> int:
    """Parse the command line, render, and say where the page is.

    Returns:
        exit status: 0; 2 where the user asked for something that cannot be done; 130 where Ctrl-C ended it.
    """
    try:
        _say("".join(f"{path}\n" for path in command(parse(args))))
    except UserError as error:
        sys.stderr.write(f"\nerror: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        return 130
    return 0


def command(options: Options) -> list[Path]:
    """Render everything asked for.

    Returns:
        the files written.

    Raises:
        UserError: the file gives no such excerpt, or the page cannot be written where it should be. Nothing is
            written then.
    """
    samples, start = excerpt(options)
    _need_place(options.output, MARK, "--output")
    if options.picture is not None:
        _need_place(options.picture, plots.SOFTWARE, "--picture")
    studio = Studio(samples, options.target_sr, options.severities, options.seed, options.draws)
    original = studio.untouched()
    entries = []
    with bar(len(options.aug_list), "rendering", "augmentation") as progress:
        for name in options.aug_list:
            progress.set_postfix_str(name, refresh=False)
            entries.append(studio.render(name))
            progress.update()
    transforms = [entry for entry in entries if entry.about.name not in PRESETS]
    presets = [entry for entry in entries if entry.about.name in PRESETS]
    heading = _heading(options, original, start)
    _put(options.output, page(heading, original, transforms, presets).encode("utf-8", "replace"))
    if options.picture is None:
        return [options.output]
    # Of a transform the severities are one row, of a preset each is a row of draws.
    rows = [(entry.about.name, [original, *entry.rows[0]]) for entry in transforms]
    rows += [(entry.about.name, [original, *(row[0] for row in entry.rows)]) for entry in presets if entry.rows]
    columns = ["original", *(f"severity {severity:g}" for severity in options.severities)]
    pictures = [(name, [sound.picture for sound in sounds]) for name, sounds in rows]
    _put(options.picture, plots.overview(pictures, columns, original.seconds, options.target_sr))
    return [options.output, options.picture]


def excerpt(options: Options) -> tuple[Tensor, float]:
    """The part of the file to augment, (1, T) float32 in [-1, 1], and where it begins, in seconds.

    Raises:
        UserError: there is no such part, or nothing to hear in it.
    """
    rate = options.target_sr
    try:
        with audio.opened(options.file) as recording:
            begin, end = _part(options, recording.samples(rate))
            samples = recording.read(rate, begin, end - begin)
        if len(samples) < end - begin:  # the header promises more than there is
            whole = audio.decode(options.file, rate).samples
            begin, end = _part(options, len(whole))
            samples = whole[begin:end]
    except BadAudio as error:
        raise UserError(str(error)) from None
    if not samples.any():
        raise UserError(
            f"{options.file}: is silent from {begin / rate:.1f} s to {end / rate:.1f} s, so that there is nothing to "
            "hear. Choose another part with --start."
        )
    return torch.from_numpy(samples.astype(np.float32) / audio.FULL_SCALE)[None], begin / rate


def _part(options: Options, total: int) -> tuple[int, int]:
    """First sample and the one behind the last, of so many."""
    rate = options.target_sr
    length = min(total, round(options.seconds * rate))
    begin = (total - length) // 2 if options.start is None else round(options.start * rate)
    end = min(total, begin + length)
    if end - begin >= LEAST * rate:
        return begin, end
    if total < LEAST * rate:
        raise UserError(f"{options.file}: is too short: {total / rate:.2f} s, and at least {LEAST:g} s are needed.")
    raise UserError(
        f"--start={options.start:g}: {options.file} is {total / rate:.1f} s long, and at least {LEAST:g} s are needed."
    )


def _heading(options: Options, original: Sound, start: float) -> Heading:
    excerpt = (
        f"{start:.1f} s to {start + original.seconds:.1f} s, as training hears it: one channel, "
        f"{options.target_sr:,} Hz. Seed {options.seed}."
    )
    return Heading(Path(options.file).name, excerpt, options.command, options.target_sr)


def _need_place(path: Path, mark: str, option: str) -> None:
    """See that a file can be written there, and that none is lost by it; the folder is made.

    Raises:
        UserError: one of both is not so.
    """
    try:
        if path.exists():
            with path.open("rb") as file:
                if mark.encode() not in file.read(_HEAD):
                    raise UserError(f"{option}={path}: is there, and not written by this command. Name another file.")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UserError(f"{option}={path}: cannot be written ({error.strerror}). Name another file.") from None


def _put(path: Path, content: bytes) -> None:
    """Write a file, all of it or nothing.

    Raises:
        UserError: it cannot be.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}).") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _say(text: str) -> None:
    """Onto the standard output, whatever letters it knows."""
    known = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(known, "backslashreplace").decode(known))
    sys.stdout.flush()
