"""Probes on embeddings: of all labels, of few, and of shuffled ones as a control."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch

from semisupcon.downstream.intervals import Sampled
from semisupcon.evaluation.cases import Case, Ready
from semisupcon.evaluation.chance import chance, constant
from semisupcon.evaluation.clips import EmbeddedClips, Indices
from semisupcon.evaluation.entries import About, Entry, Result, entries
from semisupcon.evaluation.linear import fit_linear
from semisupcon.evaluation.measuring import measured
from semisupcon.evaluation.mlp import MARBLE_GRID, Point, fit_mlp
from semisupcon.evaluation.options import Options
from semisupcon.evaluation.protocols import MARBLE as LOGIT
from semisupcon.evaluation.protocols import PROTOCOLS, choose, scored
from semisupcon.evaluation.readout import Readout
from semisupcon.table import Task

# As MARBLE's constrained track has it, beside its grid (Yuan et al. 2023).
MARBLE_DROPOUT = 0.2
MARBLE_TASKS = frozenset(
    {
        *("gtzan", "giantsteps", "emomusic", "mtat_top50", "mtg_top50", "mtg_genre", "mtg_instr", "mtg_mood"),
        *("nsynth_pitch", "nsynth_instr_family", "vocalset_singer", "vocalset_technique"),
    }
)
MLP_RATE = 1e-3

SHUFFLES = 10


def about(ready: Ready, case: Case, part: str, method: str) -> About:
    """Where the entries of a part begin."""
    return About(ready.subject.name, ready.subject.run, case.name, part, method)


def probe(ready: Ready, case: Case, options: Options) -> Result:
    """Linear and MLP probes of all labels under every protocol, and the linear one of shuffled labels."""
    task, device = case.task, case.how.device
    train, val, test = (ready.clips(case, split) for split in ("train", "val", "test"))
    found: list[Entry] = []
    chosen: dict[str, list[float]] = {}
    for method in methods(case, options):
        if method == "linear":
            fitted = [[readout] for readout in fit_linear(task, train, options.decays, device)]
        elif method == "mlp":
            grid = [Point(decay=decay, lr=MLP_RATE) for decay in options.mlp_decays]
            fitted = fit_mlp(task, train, val, grid, options.seeds, device)
        else:
            fitted = fit_mlp(task, train, val, MARBLE_GRID, options.seeds, device, dropout=MARBLE_DROPOUT)
        for protocol in (*PROTOCOLS, LOGIT) if method == "marble" else PROTOCOLS:
            here = replace(about(ready, case, "probe", method), protocol=protocol)
            for place, seed in enumerate([0] if method == "linear" else options.seeds):
                members = [point[place] for point in fitted]
                best = choose(task, members, val, protocol)
                chosen.setdefault(f"{method} {protocol}", []).append(_searched(method, members[best]))
                found += _tested(task, members[best], test, replace(here, seed=seed), options)
    if "linear embedding" in chosen:
        found += _control(ready, case, options, chosen["linear embedding"][0])
    guess = {"chance": chance(task, train.labels, test.labels), "constant": constant(task, train.labels, test.labels)}
    notes = {"chosen": chosen, "clips": len(test), **guess}
    return Result(found, notes=notes)


def methods(case: Case, options: Options) -> Sequence[str]:
    """The kinds of probe that a task is given."""
    if options.probes is not None:
        return options.probes
    return ("linear", "mlp", "marble") if case.name in MARBLE_TASKS else ("linear", "mlp")


def _searched(method: str, readout: Readout) -> float:
    return readout.lr if method == "marble" else readout.decay


def _control(ready: Ready, case: Case, options: Options, decay: float) -> list[Entry]:
    """Linear probes of labels dealt out anew among the training clips, which must be at chance.

    Their mean is one number. Each of its bootstrap draws takes, beside test clips, as many of the ways to deal as there
    are, with replacement: its interval is over both.
    """
    train, test = ready.clips(case, "train"), ready.clips(case, "test")
    dealt: list[dict[str, Sampled]] = []
    for shuffle in range(SHUFFLES):
        order = np.random.default_rng([options.seed, shuffle]).permutation(len(train))
        (probe,) = fit_linear(case.task, train.with_labels(train.labels[order]), [decay], case.how.device)
        scores, labels, groups, _ = scored(probe, test, "embedding")
        dealt.append(measured(case.task, scores, labels, groups, options.draws))
    rng = np.random.default_rng(options.seed)
    means = {}
    for name in dealt[0]:
        draws = np.stack([each[name].draws for each in dealt])  # (ways, R)
        taken = rng.integers(SHUFFLES, size=(SHUFFLES, draws.shape[1]))
        value = float(np.mean([each[name].value for each in dealt]))
        means[name] = Sampled(value, np.take_along_axis(draws, taken, axis=0).mean(axis=0))
    return entries(about(ready, case, "control", "linear"), means, test.fingerprint)


def _tested(task: Task, readout: Readout, test: EmbeddedClips, here: About, options: Options) -> list[Entry]:
    scores, labels, groups, _ = scored(readout, test, here.protocol)
    return entries(here, measured(task, scores, labels, groups, options.draws), test.fingerprint)


def few(ready: Ready, case: Case, options: Options) -> Result:
    """Linear probes of some of the training labels; decay by the whole validation split."""
    train, val, test = (ready.clips(case, split) for split in ("train", "val", "test"))
    found: list[Entry] = []
    sizes: dict[str, int] = {}
    for share, draw, which in subsets(case, train, options.shares, options):
        readouts = fit_linear(case.task, train.take(which), options.decays, case.how.device)
        best = readouts[choose(case.task, readouts, val, "embedding")]
        sizes[f"{share:g}"] = len(which)
        here = replace(about(ready, case, "few", "linear"), share=share, draw=draw)
        found += _tested(case.task, best, test, here, options)
    return Result(found, notes={"clips": sizes})


def subsets(
    case: Case, train: EmbeddedClips, wanted: Sequence[float], options: Options
) -> Iterator[tuple[float, int, Indices]]:
    """Shares of the training clips: share, number of the subset, and which clips; of all there is one subset."""
    for share, draw in options.drawn(wanted):
        taken = case.taken(share, options.seed + draw)
        which = np.flatnonzero([str(name) in taken for name in train.names])
        if len(which):  # else all that the share takes are broken
            yield share, draw, which


@lru_cache(maxsize=256)
def readout(ready: Ready, case: Case, decays: tuple[float, ...]) -> Readout:
    """The linear probe of all labels, as chosen for mean embeddings."""
    train, val = ready.clips(case, "train"), ready.clips(case, "val")
    readouts = fit_linear(case.task, train, decays, case.how.device)
    return readouts[choose(case.task, readouts, val, "embedding")]


def device_of(name: str) -> torch.device:
    """``auto`` is a GPU where there is one."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
