"""``python -m semisupcon.embed``: from the command line to the finished files."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import torch

from semisupcon.bar import bar
from semisupcon.command import run
from semisupcon.errors import UserError
from semisupcon.inference import sheets
from semisupcon.inference.embedder import Embedder
from semisupcon.inference.formats import Writing, writer_for
from semisupcon.inference.inputs import Found, find
from semisupcon.inference.journal import Journal
from semisupcon.inference.options import Options, parse
from semisupcon.inference.plan import Plan

log = logging.getLogger(__name__)

_NAMED = 5  # bad files that are named on the screen


def main() -> int:
    """The command; its exit status."""
    return run(lambda: embed(parse()))


def embed(options: Options) -> None:
    """Embed everything that is asked for, or what is left of it, and put the output in place.

    Raises:
        UserError: the options do not fit, the output is there already, nothing can be read, or the disk is full.
    """
    out, write = options.out, writer_for(options.out)
    part = out.with_name(f"{out.name}.part")
    wanted = [out]
    if options.segments and not part.exists():  # else they may be those of a run that ended before it put OUT in place
        wanted.append(_beside(out, "segments", out.suffix))
    for path in wanted:
        if path.exists() and not options.overwrite:
            raise UserError(f"{path}: is there already. Name another --out, or have it replaced by --overwrite=true.")
    embedder = Embedder(options.checkpoint, options.device, options.batch_size, options.length, options.hop)
    found = find(options.inputs)
    plan = Plan.of(embedder, options.checkpoint, options.segments, found)
    stays = f"What is embedded so far stays in {part}, and the same command goes on from there."
    try:
        with Journal(part, plan, fresh=options.overwrite) as journal:
            began, samples = time.monotonic(), journal.samples
            _run(embedder, found, journal, options.num_workers)
            speed = (journal.samples - samples) / plan.sample_rate / max(time.monotonic() - began, 1e-3)
            journal.flush()
            _finish(journal, out, write)
    except KeyboardInterrupt:
        log.warning(f"\n{stays}")
        raise
    except torch.OutOfMemoryError:
        raise UserError(
            f"The memory of {embedder.device} is too small for --batch_size={embedder.batch_size}; try half of it, and "
            "--overwrite=true."
        ) from None
    except OSError as error:
        raise UserError(f"{error.filename or out}: cannot be written ({error.strerror or error}). {stays}") from None
    log.info(
        f"{out}: {journal.tracks:,} rows x {plan.dim}, of {journal.samples / plan.sample_rate:,.0f} s of audio in "
        f"{journal.segments:,} segments" + (f", at {speed:,.0f} x real time" if speed else "")
    )


def _run(embedder: Embedder, found: Sequence[Found], journal: Journal, num_workers: int | None) -> None:
    """Embed what is not in the journal yet."""
    if journal.files:
        log.info(f"{journal.files:,} of {len(found):,} files are embedded already; going on behind them")
    todo = found[journal.files :]
    began, samples = time.monotonic(), journal.samples
    with (
        bar(len(found), "embedding", "file") as progress,
        closing(embedder.results(todo, num_workers, str(journal.folder), journal.segments)) as results,
    ):
        progress.initial = progress.n = journal.files
        for each, result in zip(todo, results, strict=True):
            journal.append(each.name, result)
            seconds = (journal.samples - samples) / embedder.sample_rate
            speed = seconds / max(time.monotonic() - began, 1e-3)
            progress.set_postfix_str(f"{speed:,.0f} x real time", refresh=False)
            progress.update()


def _finish(journal: Journal, out: Path, write: Writing) -> None:
    """Make the files, put them in place, the output itself last, and say what is in none of them.

    Raises:
        UserError: there is nothing to put in them.
    """
    bad = _beside(out, "bad_files", ".csv")
    if journal.bad:
        made = journal.folder / bad.name
        sheets.write_bad(journal, made)
        _place(made, bad)
    else:
        bad.unlink(missing_ok=True)  # of an output that is replaced
    if not journal.tracks:
        first = next(journal.rows())
        journal.remove()
        raise UserError(
            f"None of the {journal.files:,} files gives audio. The first: {first.path} ({first.bad}). All: {bad}."
        )
    made = journal.folder / out.name
    if journal.plan.segments:
        write(sheets.segments(journal), made)
        _place(made, _beside(out, "segments", out.suffix))
    write(sheets.tracks(journal), made)
    if journal.bad:
        log.warning(f"{journal.bad:,} of {journal.files:,} files give no audio and are left out; all in {bad}:")
        worst = (row for row in journal.rows() if row.bad)
        log.warning("\n".join(f"  {row.path!r}: {row.bad}" for row, _ in zip(worst, range(_NAMED), strict=False)))
    _place(made, out)
    journal.remove()


def _beside(out: Path, what: str, suffix: str) -> Path:
    return out.with_name(f"{out.stem}.{what}{suffix}")


def _place(made: Path, final: Path) -> None:
    """Give a file that is complete its name, in one go."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(final)
