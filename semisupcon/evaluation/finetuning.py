"""Fine-tuning on few labels, as finetune.py does it, as numbers among the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from semisupcon.evaluation.cases import Case, Ready
from semisupcon.evaluation.clips import fingerprint
from semisupcon.evaluation.entries import Result, entries
from semisupcon.evaluation.finetuned import finetune_scores
from semisupcon.evaluation.measuring import measured
from semisupcon.evaluation.options import Options
from semisupcon.evaluation.shipped import shipped
from semisupcon.evaluation.subjects import UNTRAINED
from semisupcon.evaluation.trained import about

RUNS_APART = 1000
"""Between the seeds of two untrained encoders, which have nothing but a seed to differ by."""


def finetune(ready: Ready, case: Case, share: float, draw: int, seed: int, folder: Path, options: Options) -> Result:
    """Encoder and head trained on a share of the labels, tested by the mean embedding of a clip.

    Args:
        ready: the encoder to begin with; an untrained one begins from fresh weights, by ``seed``.
        case: the task.
        share: of the training labels.
        draw: which subset of that size, as in the other parts.
        seed: of head, order and crops; and of the weights of an untrained encoder, with its number.
        folder: of the run.
        options: draws of the bootstrap, and what else finetune.py is to be told.
    """
    subject = ready.subject
    seconds, how = ready.length / ready.encoder.sample_rate, case.how
    extra = [f"--data.target_len={seconds!r}", f"--data.num_workers={how.num_workers}"]
    extra += [f"--data.leak_check={how.leak_check}", f"--trainer.accelerator={_accelerator(case)}"]
    # One device, the one that was asked for: of several Lightning would start this command again for each.
    extra += ["--trainer.strategy=auto", f"--trainer.devices={_devices(case)}"]
    extra += [] if how.store is None else [f"--data.store={how.store}"]
    if not subject.checkpoints:
        extra.append(f"--model.encoder.class_path={subject.source.removeprefix(UNTRAINED)}")
    elif subject.fresh:
        extra.append("--model.untrained=true")
    found = finetune_scores(
        subject.checkpoints or None,
        case.name,
        case.options,
        share,
        options.seed + draw,
        seed + RUNS_APART * subject.run if subject.fresh else seed,
        folder,
        [*extra, *options.finetune],
        key=f"{case.digest} {ready.key}",
    )
    pools = case.data.pools
    row = {pools.short(place)[1]: place for place in pools.test.tolist()}
    rows = np.array([row[str(name)] for name in found.names], np.int64)
    groups = [str(pools.group[place]) for place in rows]
    here = replace(about(ready, case, "finetune", "finetune"), share=share, draw=draw, seed=seed)
    measures = measured(case.task, found.scores, pools.labels[rows], groups, options.draws)
    return Result(entries(here, measures, fingerprint(found.names, groups)))


def _accelerator(case: Case) -> str:
    kind = case.how.device.type
    return "gpu" if kind == "cuda" else kind


def _devices(case: Case) -> str:
    device = case.how.device
    return f"[{device.index or 0}]" if device.type == "cuda" else "1"


def configs() -> list[str]:
    """The configs that decide how it is done, as text."""
    return [shipped(f"config/finetuning/{name}.yaml").read_text(encoding="utf-8") for name in ("probe", "finetune")]
