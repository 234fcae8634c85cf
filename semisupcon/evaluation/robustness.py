"""Probes of clean embeddings, tested on corrupted clips: all encoders hear the same corrupted audio, made once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from semisupcon.bar import bar
from semisupcon.downstream.embed import Embeddings, encode
from semisupcon.errors import UserError
from semisupcon.evaluation.cases import Case, Ready
from semisupcon.evaluation.clips import EmbeddedClips, Floats32
from semisupcon.evaluation.corruption import CorruptedClips, Corruption
from semisupcon.evaluation.entries import Entry, Result, entries
from semisupcon.evaluation.measuring import measured
from semisupcon.evaluation.options import Options
from semisupcon.evaluation.protocols import scored
from semisupcon.evaluation.trained import about, readout
from semisupcon.loading.reader import Reader, find_places
from semisupcon.loading.sampler import Indices
from semisupcon.loading.segments import clips_loader
from semisupcon.table import TEXT

Means = dict[str, Floats32]


def robustness(group: Sequence[Ready], cases: Sequence[Case], corruption: str, options: Options) -> Result:
    """The linear probe of every encoder and task on the test clips under one augmentation at all severities, and clean.

    What fails for one encoder and task, such as one whose weights have diverged, is among the notes as ``failures``,
    and the others go on.

    Args:
        group: encoders of one rate and segment length.
        cases: tasks on the same corpus, with the same files held out.
        corruption: the augmentation.
        options: severities and draws.
    """
    under = [Corruption(corruption, severity, options.seed) for severity in options.severities]
    heard = _heard(group, cases, under)
    found: list[Entry] = []
    failures: dict[str, str] = {}
    for case in cases:
        for place, ready in enumerate(group):
            means = [each[place] for each in heard]
            try:
                found += _tested(ready, case, corruption, means, options)
            except (UserError, ValueError) as error:
                failures[f"{case.name}, {ready.subject.name} {ready.subject.run}"] = str(error)
    return Result(found, notes={"failures": failures})


def _tested(ready: Ready, case: Case, corruption: str, heard: Sequence[Means], options: Options) -> Iterator[Entry]:
    probe, test = readout(ready, case, tuple(options.decays)), ready.clips(case, "test")
    for severity, means in ((0.0, None), *zip(options.severities, heard, strict=True)):
        clips = test
        if means is not None:
            corrupted = np.stack([means[str(name)] for name in test.names])
            clips = EmbeddedClips(corrupted, np.arange(len(test)), test.labels, test.names, test.groups)
        scores, labels, groups, _ = scored(probe, clips, "embedding")
        here = replace(about(ready, case, "robustness", "linear"), corruption=corruption, severity=severity)
        yield from entries(here, measured(case.task, scores, labels, groups, options.draws), test.fingerprint)


def _heard(group: Sequence[Ready], cases: Sequence[Case], under: Sequence[Corruption]) -> list[list[Means]]:
    """[corruption][encoder][clip] -> (D,) the mean embedding of each test clip of any of the tasks."""
    names: dict[str, str] = {}
    for case in cases:
        pools = case.data.pools
        names |= {str(pools.paths[row]): pools.short(row)[1] for row in pools.test.tolist()}
    paths, rate, first = np.array(list(names), TEXT), group[0].encoder.sample_rate, cases[0]
    places = find_places(paths, first.data.pools.roots.values(), rate, first.how.store)
    rows, no_labels = np.arange(len(paths)), np.zeros((len(paths), 0), np.float32)
    short = list(names.values())
    clips = CorruptedClips(Reader(paths, rate, places), no_labels, rows, group[0].length, short, under)
    found: list[list[Means]] = [[{} for _ in group] for _ in under]
    what = f"{under[0].name}, {len(group)} encoders"
    with bar(len(clips), what, "group", leave=False) as progress:
        for number, some in enumerate(clips_loader(clips, first.how.num_workers)):
            audio = some.audio.to(first.how.device)
            for place, ready in enumerate(group):
                embedded = _means(encode(ready.encoder, audio).cpu().numpy(), some.clip.numpy())
                means = found[number % len(under)][place]
                means |= {short[row]: mean for row, mean in embedded}
            progress.update()
    return found


def _means(segment: Floats32, owner: Indices) -> Iterator[tuple[int, Floats32]]:
    """The row of each clip, and the (D,) mean of its segments."""
    found = Embeddings(segment, owner)
    means, rows = found.means()
    yield from zip(rows.tolist(), means, strict=True)
