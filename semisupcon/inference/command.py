"""``python -m semisupcon.embed``: from the command line to the finished files."""

from __future__ import annotations

import logging
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import torch

from semisupcon.bar import bar
from semisupcon.command import run
from semisupcon.errors import BadAudio, UserError
from semisupcon.inference import ahead, sheets
from semisupcon.inference.embedder import Embedder
from semisupcon.inference.formats import Writing, writer_for
from semisupcon.inference.inputs import Found, find
from semisupcon.inference.journal import REPLACES, Journal, Row
from semisupcon.inference.options import Options, parse
from semisupcon.inference.plan import Plan

log = logging.getLogger(__name__)

_NAMED = 5  # bad files that are named on the screen
_LEAST, _LEAST_BAD = 20, 5  # files tried, and bad ones among them, before their share says anything


def main() -> int:
    """The command; its exit status."""
    return run(lambda: embed(parse()))


def embed(options: Options) -> None:
    """Embed everything that is asked for, or what is left of it, and put the output in place.

    Raises:
        UserError: the options do not fit, the output is there already, nothing or too little can be read, or the disk
            is full.
    """
    out, write = options.out, writer_for(options.out)
    part = out.with_name(f"{out.name}.part")
    if out.is_dir():
        raise UserError(f"--out={out}: is a folder. Name a file, such as {out / f'embeddings{out.suffix}'}.")
    replace = options.overwrite or (part / REPLACES).exists()  # the latter: it was asked for when this work began
    wanted = [out]
    if options.segments and not part.exists():  # else they may be those of a run that ended before it put OUT in place
        wanted.append(_segments(out))
    for path in wanted:
        if path.exists() and not replace:
            raise UserError(
                f"{path}: is there already. Name another --out, or begin anew and have it replaced: --overwrite=true."
            )
    embedder = Embedder(options.checkpoint, options.device, options.batch_size, options.length, options.hop)
    found = find(options.inputs)
    plan = Plan.of(embedder, options.checkpoint, options.segments, found)
    unasked = ", without --overwrite=true" if options.overwrite else ""
    stays = f"What is embedded so far stays in {part}, and the same command goes on from there{unasked}."
    try:
        names = [each.name for each in found]
        again = _again(embedder, found)
        with Journal(part, plan, options.overwrite, names, again) as journal:
            began, samples = time.monotonic(), journal.samples
            _run(embedder, found, journal, options)
            speed = (journal.samples - samples) / plan.sample_rate / max(time.monotonic() - began, 1e-3)
            journal.flush()
            reasons = Counter(row.bad for row in journal.rows() if row.bad)
            _judge(reasons, journal.files, True, options.max_bad_share)
            _finish(journal, out, write)
    except KeyboardInterrupt:
        if part.exists():
            log.warning(f"\n{stays}")
        raise
    except torch.OutOfMemoryError:
        raise UserError(
            f"The memory of {embedder.device} is too small for --batch_size={embedder.batch_size}; try half of it, and "
            "--overwrite=true."
        ) from None
    except OSError as error:
        raise UserError(
            f"{error.filename or out}: cannot be written ({error.strerror or error})."
            + (f" {stays}" if part.exists() else "")
        ) from None
    log.info(
        f"{out}: {journal.tracks:,} rows x {plan.dim}, of {journal.samples / plan.sample_rate:,.0f} s of audio in "
        f"{journal.segments:,} segments" + (f", at {speed:,.0f} x real time" if speed else "")
    )


def _again(embedder: Embedder, found: Sequence[Found]) -> Callable[[int, Row], bool]:
    """Whether a file that was bad gives audio now, as where its disk was away."""

    def gives_audio(number: int, row: Row) -> bool:
        if found[number].reason or row.bad.startswith((ahead.DEADLY, ahead.TOO_LONG)):
            return False  # it would end this process as it ended another
        try:
            ahead.read(found[number].path, embedder.sample_rate)
        except BadAudio:
            return False
        return True

    return gives_audio


def _run(embedder: Embedder, found: Sequence[Found], journal: Journal, options: Options) -> None:
    """Embed what is not in the journal yet.

    Raises:
        UserError: too large a share of it gives no audio.
    """
    if journal.files:
        log.info(f"{journal.files:,} of {len(found):,} files are embedded already; going on behind them")
    todo = found[journal.files :]
    began, samples, bad = time.monotonic(), journal.samples, Counter[str]()
    with (
        bar(len(found), "embedding", "file") as progress,
        closing(embedder.results(todo, options.num_workers, str(journal.folder), journal.segments)) as results,
    ):
        progress.initial = progress.n = journal.files
        for tried, (each, result) in enumerate(zip(todo, results, strict=True), 1):
            journal.append(each.name, result)
            if isinstance(result, BadAudio):
                bad[result.reason] += 1
                _judge(bad, tried, False, options.max_bad_share)
            seconds = (journal.samples - samples) / embedder.sample_rate
            speed = seconds / max(time.monotonic() - began, 1e-3)
            progress.set_postfix_str(f"{speed:,.0f} x real time", refresh=False)
            progress.update()


def _judge(bad: Counter[str], tried: int, sure: bool, limit: float) -> None:
    """Stop where too large a share of the files tried gave no audio, as ``BadList.judge``."""
    count = bad.total()
    margin = 0.0 if sure else 3 * math.sqrt(limit * (1 - limit) / tried)
    if tried < _LEAST or count < _LEAST_BAD or count <= (limit + margin) * tried:
        return
    reasons = "\n".join(f"  {each:,} x {why}" for why, each in bad.most_common(_NAMED))
    raise UserError(
        f"{count:,} of {tried:,} files tried give no audio, which is more than --max_bad_share={limit:g} allows:\n"
        f"{reasons}\nIs the disk mounted, the download whole? The same command, without --overwrite=true, goes on and "
        "tries these files again; with --max_bad_share=1 it leaves them out."
    )


def _finish(journal: Journal, out: Path, write: Writing) -> None:
    """Make the files, put them in place, the output itself last, and say what is in none of them.

    Raises:
        UserError: there is nothing to put in them.
    """
    bad = out.with_name(f"{out.name}.bad_files.csv")
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
        _place(made, _segments(out))
    elif journal.replaces:  # those of an output that is replaced
        _segments(out).unlink(missing_ok=True)
    write(sheets.tracks(journal), made)
    if journal.bad:
        log.warning(f"{journal.bad:,} of {journal.files:,} files give no audio and are left out; all in {bad}:")
        worst = (row for row in journal.rows() if row.bad)
        log.warning("\n".join(f"  {row.path!r}: {row.bad}" for row, _ in zip(worst, range(_NAMED), strict=False)))
    _place(made, out)
    journal.remove()


def _segments(out: Path) -> Path:
    return out.with_name(f"{out.stem}.segments{out.suffix}")


def _place(made: Path, final: Path) -> None:
    """Give a file that is complete its name, in one go."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(final)
