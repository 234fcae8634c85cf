"""The report in words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from semisupcon import __version__
from semisupcon.evaluation.entries import Estimate
from semisupcon.evaluation.numbers import Numbers, cell
from semisupcon.evaluation.options import Options
from semisupcon.evaluation.protocols import SENTENCES

NAMED = 5  # broken files of a task that are named; results.json has all


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns without anything in them are left out."""
    used = [place for place in range(len(head)) if place == 0 or any(row[place] for row in rows)]
    lines = [[head[place] for place in used], ["---"] * len(used), *([row[place] for place in used] for row in rows)]
    return "\n".join(f"| {' | '.join(str(each).replace('|', chr(92) + '|') for each in line)} |" for line in lines)


def report(numbers: Numbers, options: Options, command: str, pictures: Mapping[str, str]) -> str:
    """The whole of report.md.

    Args:
        numbers: of the benchmark.
        options: it was run with.
        command: that makes it again.
        pictures: what each shows -> its file, those that were drawn.
    """
    parts = [
        "# Evaluation",
        f"semisupcon {__version__}. Figures are means over runs, subsets and seeds, with 95 % percentile bootstrap "
        f"intervals ({options.draws:,} draws of test clips); differences are paired, on the same draws. Every figure "
        "is in `results.csv`, every difference in `differences.csv`, and both with all that was chosen on the way in "
        f"`results.json`.\n\n```\n{command}\n```",
        *(text for text in _sections(numbers, options, pictures) if text),
    ]
    return "\n\n".join(parts) + "\n"


def _sections(numbers: Numbers, options: Options, pictures: Mapping[str, str]) -> Iterator[str]:
    yield _pictured(pictures, "report")
    yield from _probes(numbers)
    yield from _protocols(numbers)
    yield from _few(numbers, pictures)
    yield from _without_training(numbers, pictures)
    yield from _robust(numbers, pictures)
    yield from _shape(numbers, pictures)
    yield from _control(numbers)
    yield from _how(numbers, options)


def _pictured(pictures: Mapping[str, str], *names: str) -> str:
    found = [f"![{name.replace('_', ' ')}]({pictures[name]})" for name in names if name in pictures]
    return "\n\n".join(found)


def _probes(numbers: Numbers) -> Iterator[str]:
    for task in numbers.tasks:
        methods = numbers.values("method", task=task, part="probe", protocol="embedding")
        if not methods:
            continue
        main, about = numbers.main(task), numbers.done.tasks[task]
        head = ["encoder", *(f"{method}, {main}" for method in methods)]
        others = [metric for metric in numbers.metrics(task) if metric != main and not metric.startswith("r2_")]
        others += [metric for metric in numbers.metrics(task) if metric.startswith("r2_")]
        head += [f"{methods[0]}, {metric}" for metric in others]
        rows = []
        for name in numbers.names:
            cells = [numbers.get(name, task, "probe", method) for method in methods]
            cells += [numbers.get(name, task, "probe", methods[0], metric) for metric in others]
            rows.append([name, *map(cell, cells)])
        chance = numbers.chance(task)
        guess = [f"{chance[main]:.3f}" if main in chance else ""] * len(methods)
        rows.append(["*guessing*", *guess, *(f"{chance[name]:.3f}" if name in chance else "" for name in others)])
        said = f"{_tested(numbers, task):,} test clips, {about['intervals']}"
        said += f"; {len(about['broken']):,} files without audio left out" if about["broken"] else ""
        yield f"## {task}\n\n{said}.\n\n{table(head, rows)}"
        yield _against(numbers, task, methods)


def _tested(numbers: Numbers, task: str) -> int:
    """Test clips that could be read."""
    found = [
        result.notes["clips"]
        for (part, _), result in numbers.done.results.items()
        if part == "probe" and result.entries and result.entries[0].about.task == task
    ]
    return int(found[0])


def _against(numbers: Numbers, task: str, methods: Sequence[str]) -> str:
    """Each encoder less the first."""
    first, *others = numbers.names
    if not others:
        return ""
    rows = []
    for name in others:
        pairs = [(numbers.get(name, task, "probe", m), numbers.get(first, task, "probe", m)) for m in methods]
        rows.append([name, *(cell(_less(a, b), sign=True) for a, b in pairs)])
    return table([f"less {first}", *(f"{method}, {numbers.main(task)}" for method in methods)], rows)


def _less(one: Estimate | None, other: Estimate | None) -> Estimate | None:
    return None if one is None or other is None else one - other


def _protocols(numbers: Numbers) -> Iterator[str]:
    rows = []
    for task in numbers.tasks:
        for method in numbers.values("method", task=task, part="probe"):
            for name in numbers.names:
                found = [numbers.get(name, task, "probe", method, protocol=protocol) for protocol in SENTENCES]
                rows.append([f"{task}, {method}", numbers.main(task), name, *map(cell, found)])
    if rows:
        said = "\n".join(f"- {protocol}: {sentence}." for protocol, sentence in SENTENCES.items())
        head = ["task", "metric", "encoder", *SENTENCES]
        yield f"## Protocols side by side\n\n{said}\n\n{table(head, rows)}"


def _few(numbers: Numbers, pictures: Mapping[str, str]) -> Iterator[str]:
    for part, title in (("few", "Few labels: linear probes"), ("finetune", "Few labels: everything trained")):
        rows, shares = [], sorted(numbers.values("share", part=part))
        for task in numbers.tasks:
            for name in numbers.names:
                method = "linear" if part == "few" else "finetune"
                found = [numbers.get(name, task, part, method, share=share) for share in shares]
                if any(found):
                    rows.append([task, numbers.main(task), name, *map(cell, found)])
        if rows:
            text = table(["task", "metric", "encoder", *(f"{100 * share:g} %" for share in shares)], rows)
            yield f"## {title}\n\nNested, stratified subsets of the training labels; validation is whole.\n\n{text}"
            yield _pictured(pictures, "few_labels" if part == "few" else "finetuned")


def _without_training(numbers: Numbers, pictures: Mapping[str, str]) -> Iterator[str]:
    asked = [
        *(("zero_shot", "prototypes", "class prototypes", space) for space in ("embedding", "projection")),
        *(("neighbours", "knn", "nearest neighbours", space) for space in ("embedding", "projection")),
    ]
    rows = []
    for task in numbers.tasks:
        for name in numbers.names:
            found = [
                numbers.get(
                    name, task, part, method, space=space, share=max(numbers.values("share", part=part), default=1)
                )
                for part, method, _, space in asked
            ]
            if any(found):
                rows.append([task, numbers.main(task), name, *map(cell, found)])
    if rows:
        head = ["task", "metric", "encoder", *(f"{said}, {space}" for *_, said, space in asked)]
        yield f"## Without training\n\n{table(head, rows)}"
        yield _pictured(pictures, "zero_shot")
    for method, said in (("by_label", "clips of the same label"), ("by_track", "segments of the same track")):
        metrics = numbers.values("metric", part="retrieval", method=method)
        rows = []
        for task in numbers.tasks:
            for name in numbers.names:
                for space in ("embedding", "projection"):
                    more = {"space": space, "protocol": "clip"}
                    found = [numbers.get(name, task, "retrieval", method, metric, **more) for metric in metrics]
                    if any(found):
                        rows.append([task, name, space, *map(cell, found)])
        if rows:
            yield f"### Retrieval of {said}\n\n{table(['task', 'encoder', 'space', *metrics], rows)}"


def _robust(numbers: Numbers, pictures: Mapping[str, str]) -> Iterator[str]:
    corruptions = numbers.values("corruption", part="robustness")
    if not corruptions:
        return
    hardest = max(numbers.values("severity", part="robustness"))
    for task in numbers.tasks:
        rows = []
        for corruption in corruptions:
            cells = []
            for name in numbers.names:
                more = {"corruption": corruption}
                found = numbers.get(name, task, "robustness", "linear", severity=hardest, **more)
                clean = numbers.get(name, task, "robustness", "linear", severity=0.0, **more)
                cells.append(cell(_less(found, clean), sign=True))
            rows.append([corruption, *cells])
        if any(any(row[1:]) for row in rows):
            what = f"{task}, {numbers.main(task)} at severity {hardest:g} less that of clean clips"
            yield f"## Robustness: {what}\n\n{table(['augmentation', *numbers.names], rows)}"
            yield _pictured(pictures, f"robustness_{task}", f"robustness_heat_{task}")


def _shape(numbers: Numbers, pictures: Mapping[str, str]) -> Iterator[str]:
    rows, warnings = [], []
    for (part, _), result in numbers.done.results.items():
        if part != "shape":
            continue
        note = result.notes
        name = f"{note['subject']} {note['run']}" if note["run"] else note["subject"]
        figures = [note[each] for each in ("alignment", "uniformity", "effective_rank", "mean_cosine")]
        rows.append([", ".join(note["tasks"]), name, *("" if each is None else f"{each:.3f}" for each in figures)])
        rows[-1] += [str(note["dims"]), str(note["dead"])]
        warnings += [f"- **{name}**: {warning}" for warning in note["warnings"]]
    if rows:
        head = ["test clips of", "encoder", "alignment", "uniformity", "effective rank", "mean cosine", "D", "dead"]
        text = table(head, rows) + ("\n\n" + "\n".join(warnings) if warnings else "")
        yield f"## Shape of the embeddings of test clips\n\n{text}"
        yield _pictured(pictures, "spectrum", *(name for name in pictures if name.startswith("map_")))
        pages = [f"[{name}]({pictures[name]})" for name in pictures if name.startswith("page")]
        yield f"To be explored: {', '.join(pages)}" if pages else ""


def _control(numbers: Numbers) -> Iterator[str]:
    rows = []
    for task in numbers.tasks:
        chance, constant = numbers.chance(task), numbers.chance(task, "constant")
        for metric in chance:
            found = [numbers.get(name, task, "control", "linear", metric) for name in numbers.names]
            if any(found):
                rows.append([task, metric, f"{chance[metric]:.3f}", f"{constant[metric]:.3f}", *map(cell, found)])
    if rows:
        said = (
            "Linear probes of training labels that were dealt out anew in ten ways: what they get is chance, or "
            "something leaks. Chance is guessing by the classes' frequencies (tags: a random order) or, of unequal "
            "classes, always giving the same answer. Intervals are over test clips and ways to deal."
        )
        head = ["task", "metric", "guessing", "always the same", *numbers.names]
        yield f"## Control: shuffled labels\n\n{said}\n\n{table(head, rows)}"


def _how(numbers: Numbers, options: Options) -> Iterator[str]:
    lines = [
        "- linear: logistic (targets: ridge) regression on standardised embeddings of all training segments, every "
        "clip weighing the same, solved to its optimum; its decay of "
        f"{', '.join(f'{decay:g}' for decay in options.decays)} by the main metric on validation, under the protocol "
        "it is tested by. No seed changes it.",
        f"- mlp: one hidden layer of 512, Adam, a decay of {', '.join(f'{decay:g}' for decay in options.mlp_decays)}, "
        f"early stopping on validation; seeds {', '.join(map(str, options.seeds))}.",
        "- marble: the constrained track of MARBLE (Yuan et al. 2023): one hidden layer of 512, dropout 0.2, batches "
        "of 64, learning rate by validation, tested by file under the protocol *logit*.",
        f"- subsets: {options.subsets} of each share but the whole.",
    ]
    yield "## How it was done\n\n" + "\n".join(lines)
    tasks = [_task(name, about) for name, about in numbers.done.tasks.items()]
    head = ["task", "kind", "train / val / test clips", "intervals over", "broken", "SHA-256 of split and labels"]
    yield table(head, tasks)
    encoders = [_encoder(name, about) for name, about in numbers.done.encoders.items()]
    head = ["encoder, run", "from", "class", "D", "Hz", "segment", "weights", "test files trained on"]
    yield table(head, encoders)
    bad = [
        f"- {name}: {path} ({why})"
        for name, about in numbers.done.tasks.items()
        for path, why in list(about.get("broken", {}).items())[:NAMED]
    ]
    if bad:
        yield "### Files without audio, left out\n\n" + "\n".join(bad)
    if failures := numbers.done.failures:
        yield "## Failed\n\n" + "\n".join(f"- {name}: {why}" for name, why in failures.items())


def _task(name: str, about: Mapping[str, Any]) -> list[str]:
    counts = " / ".join(f"{about[split]:,}" for split in ("train", "val", "test"))
    return [
        name,
        about["kind"],
        counts,
        about["intervals"],
        str(len(about.get("broken", {}))),
        f"`{about['sha256'][:16]}`",
    ]


def _encoder(name: str, about: Mapping[str, Any]) -> list[str]:
    seen = [f"{task}: {'unknown' if n is None else f'{n:,}'}" for task, n in about["seen"].items() if n != 0]
    kind = about["encoder"]["class_path"].rpartition(".")[2]
    segment, rate = f"{about['segment_samples'] / about['sample_rate']:.2f} s", f"{about['sample_rate']:,}"
    weights, trained = f"`{about['weights'][:16]}`", ", ".join(seen) or "none"
    return [name, f"`{about['source']}`", kind, str(about["dim"]), rate, segment, weights, trained]
