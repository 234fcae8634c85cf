"""A benchmark from beginning to end: what there is to do, one step after another, each kept when it is done."""

from __future__ import annotations

import hashlib
import json
import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from semisupcon import __version__
from semisupcon.bar import bar
from semisupcon.downstream.report import drawn_over
from semisupcon.errors import UserError
from semisupcon.evaluation import trained, unfitted
from semisupcon.evaluation.cases import Case, How, Ready, named
from semisupcon.evaluation.entries import Result
from semisupcon.evaluation.options import Options
from semisupcon.evaluation.robustness import robustness
from semisupcon.evaluation.subjects import Subject
from semisupcon.table import Task

log = logging.getLogger(__name__)

FORMAT = 2
"""To be raised with whatever changes a result and is not in the fingerprint of its step."""

Work = Callable[[], Result]

# What a step depends on beside clips and encoder: the names of the options.
PARTS: dict[str, tuple[Callable[[Ready, Case, Options], Result], tuple[str, ...]]] = {
    "probe": (trained.probe, ("probes", "seeds", "decays", "mlp_decays", "draws", "seed")),
    "few": (trained.few, ("shares", "subsets", "decays", "draws", "seed")),
    "zero_shot": (unfitted.zero_shot, ("zero_shot_shares", "subsets", "draws", "seed")),
    "neighbours": (unfitted.neighbours, ("draws",)),
    "retrieval": (unfitted.retrieval, ("draws",)),
}


@dataclass(frozen=True)
class Step:
    """Something to be done.

    Args:
        part: of the evaluation.
        name: of its file, without suffix; slashes are folders.
        cases: the tasks that it is about.
        about: what it depends on, plain values.
        work: does it.
    """

    part: str
    name: str
    cases: Sequence[Case]
    about: Callable[[], Sequence[Any]]
    work: Work


@dataclass
class Done:
    """What a benchmark has given.

    Args:
        results: (part, name of the step) -> its result.
        failures: name of the step -> what went wrong.
        tasks: name -> what a report says of it.
        kinds: name -> what its labels mean.
        encoders: name of the subject and run -> what a report says of it.
    """

    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    kinds: dict[str, Task] = field(default_factory=dict)
    encoders: dict[str, dict[str, Any]] = field(default_factory=dict)


class Benchmark:
    """Every subject on every task.

    Args:
        subjects: what is compared.
        options: what is done.
        folder: of the results; steps that are done there are not done again.
    """

    def __init__(self, subjects: Sequence[Subject], options: Options, folder: Path) -> None:
        self.subjects, self.options, self.folder = subjects, options, folder
        how = How(
            trained.device_of(options.device),
            options.num_workers,
            options.target_len,
            options.store,
            options.leak_check,
        )
        tasks = named(options.tasks, options.task_kwargs)
        self.cases = {name: Case(name, kwargs, how) for name, kwargs in tasks.items()}
        self.done = Done()
        self._ready: dict[tuple[Subject, str], Ready] = {}

    def run(self) -> Done:
        """Everything that has not been done yet; what fails is noted, and the rest goes on."""
        cases = list(self._usable())
        steps = [step for case in cases for step in self._of_case(case)]
        corpora: dict[str, list[Case]] = {}
        for case in cases:
            corpora.setdefault(case.held_out, []).append(case)
        for together in corpora.values():
            if "shape" in self.options.parts:
                steps += [self._shape(subject, together) for subject in self.subjects]
            if "robustness" in self.options.parts:
                steps += self._corrupted(together)
        with bar(len(steps), "benchmark", "step") as progress:
            for step in steps:
                progress.set_postfix_str(step.name, refresh=True)
                self._do(step)
                progress.update()
        for case in cases:
            self.done.tasks[case.name] |= {"broken": dict(case.data.bad.found)}
            self._seen(case)
        return self.done

    def _seen(self, case: Case) -> None:
        """Whether encoders were trained on test files, which is said aloud."""
        for subject in self.subjects:
            try:
                count = case.seen(self.ready(subject, case).encoder)
            except Exception as error:
                self._failed(f"{subject.name}-{subject.run} on {case.name}", error)
                count = None
            if f"{subject.name} {subject.run}" not in self.done.encoders:
                continue
            self.done.encoders[f"{subject.name} {subject.run}"]["seen"][case.name] = count
            if count:
                log.warning(
                    f"{count:,} of the {case.counts['test']:,} test files of {case.name} are, or are copies of, files "
                    f"that {subject.name} was trained on: the test is not one of unseen music."
                )

    def _usable(self) -> Iterator[Case]:
        """The cases whose corpora could be loaded."""
        for case in self.cases.values():
            try:
                pools, counts = case.data.pools, case.counts
                if not counts["test"]:
                    raise UserError(f"{case.name}: no labelled test clip under {case.corpus}.")
            except Exception as error:
                self._failed(case.name, error)
                continue
            self.done.kinds[case.name] = case.task
            groups = [str(group) for group in pools.group[pools.test]]
            self.done.tasks[case.name] = {
                "kind": case.task.kind,
                "metric": case.task.metric,
                "classes": len(case.task.classes),
                **counts,
                "intervals": drawn_over(case.task, groups, 0.95)[0],
                "sha256": case.digest,
                "notes": list(pools.notes),
            }
            yield case

    def _of_case(self, case: Case) -> Iterator[Step]:
        for subject in self.subjects:
            for part in self.options.parts:
                if part in PARTS and not (part == "zero_shot" and case.task.kind == "regression"):
                    yield self._step(part, subject, case)
        if "finetune" in self.options.parts:
            yield from self._finetuned(case)

    def _step(self, part: str, subject: Subject, case: Case) -> Step:
        work, names = PARTS[part]

        def about() -> Sequence[Any]:
            ready = self.ready(subject, case)
            head = unfitted.head_digest(ready) if part in ("zero_shot", "neighbours", "retrieval") else ""
            return [*_of(ready), head, case.digest, case.files, *(getattr(self.options, name) for name in names)]

        name = f"{part}/{safe(case.name)}/{safe(subject.name)}-{subject.run}"
        return Step(part, name, (case,), about, lambda: work(self.ready(subject, case), case, self.options))

    def _shape(self, subject: Subject, cases: Sequence[Case]) -> Step:
        name = f"shape/{_place(cases[0])}/{safe(subject.name)}-{subject.run}"

        def about() -> Sequence[Any]:
            ready = self.ready(subject, cases[0])
            return [*_of(ready), *([case.name, case.digest, case.files] for case in cases), self.options.seed]

        def work() -> Result:
            return unfitted.shape_of(self.ready(subject, cases[0]), cases, self.options)

        return Step("shape", name, cases, about, work)

    def _corrupted(self, cases: Sequence[Case]) -> Iterator[Step]:
        """One step for each augmentation and kind of encoder: those of one rate and length hear the same."""
        kinds: dict[tuple[int, int], list[Subject]] = {}
        for subject in self.subjects:
            try:
                ready = self.ready(subject, cases[0])
            except Exception as error:
                self._failed(f"robustness/{subject.name}-{subject.run}", error)
                continue
            kinds.setdefault((ready.encoder.sample_rate, ready.length), []).append(subject)
        for (rate, length), subjects in kinds.items():
            for corruption in self.options.corruptions:
                name = f"robustness/{_place(cases[0])}/{corruption}-{rate}-{length}"
                yield self._under(name, corruption, subjects, cases)

    def _under(self, name: str, corruption: str, subjects: Sequence[Subject], cases: Sequence[Case]) -> Step:
        def ready() -> list[Ready]:
            return [self.ready(subject, cases[0]) for subject in subjects]

        def about() -> Sequence[Any]:
            options = (self.options.severities, self.options.decays, self.options.draws, self.options.seed)
            of = [[case.name, case.digest, case.files] for case in cases]
            return [corruption, [_of(each) for each in ready()], of, *options]

        return Step("robustness", name, cases, about, lambda: robustness(ready(), cases, corruption, self.options))

    def _finetuned(self, case: Case) -> Iterator[Step]:
        for subject in self.subjects:
            for share, draw in self.options.drawn(self.options.shares):
                for seed in self.options.seeds:
                    yield self._tuned(subject, case, (share, draw, seed))

    def _tuned(self, subject: Subject, case: Case, at: tuple[float, int, int]) -> Step:
        from semisupcon.evaluation import finetuning  # which takes the seconds of Lightning's command line

        options = self.options
        of = "-".join([safe(subject.name), str(subject.run), *(f"{each:g}" for each in at)])
        name = f"finetune/{safe(case.name)}/{of}"

        def about() -> Sequence[Any]:
            held = [*_of(self.ready(subject, case)), case.digest, case.files, finetuning.configs()]
            return [*held, *at, options.finetune, options.draws, options.seed]

        def work() -> Result:
            folder = self.folder / "steps" / name
            return finetuning.finetune(self.ready(subject, case), case, *at, folder, options)

        return Step("finetune", name, (case,), about, work)

    def ready(self, subject: Subject, case: Case) -> Ready:
        """The subject's encoder for a case; made once for all tasks on the same training files."""
        key = case.held_out
        if (subject, key) not in self._ready:
            self._ready[subject, key] = Ready.of(subject, case)
        ready = self._ready[subject, key]
        self.done.encoders.setdefault(
            f"{subject.name} {subject.run}",
            {
                "source": subject.says,
                "encoder": ready.encoder.spec,
                "dim": ready.encoder.dim,
                "sample_rate": ready.encoder.sample_rate,
                "segment_samples": ready.length,
                "weights": ready.key,
                "seen": {},
            },
        )
        return ready

    def _do(self, step: Step) -> None:
        path = self.folder / "steps" / f"{step.name}.npz"
        try:
            said = json.dumps([FORMAT, __version__, step.part, *step.about()], sort_keys=True, default=str)
            fingerprint = hashlib.sha256(said.encode()).hexdigest()
            result = Result.load(path, fingerprint)
            if result is None:
                result = step.work()
                broken = {case.name: dict(case.data.bad.found) for case in step.cases}
                result = replace(result, notes={**result.notes, "broken": broken})
                if not result.notes.get("failures"):  # else it is tried again
                    result.save(path, fingerprint)
        except Exception as error:
            self._failed(step.name, error)
            return
        for what, why in result.notes.get("failures", {}).items():
            self._failed(f"{step.name}: {what}", UserError(why))
        for case in step.cases:
            case.data.bad.found |= result.notes["broken"].get(case.name, {})
        if (step.part, step.name) in self.done.results:
            raise RuntimeError(f"two steps are called {step.name}")
        self.done.results[step.part, step.name] = result

    def _failed(self, name: str, error: Exception) -> None:
        note_failure(self.folder, self.done, name, error)


def note_failure(folder: Path, done: Done, name: str, error: Exception) -> None:
    """Note it, and say it at once in a few lines; the traceback of what is a bug is kept in a file."""
    said = str(error).strip() or type(error).__name__
    if not isinstance(error, UserError):
        said = f"{type(error).__name__}: {said}"
        file = folder / "failures.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as held:
            held.write(f"{name}\n{''.join(traceback.format_exception(error))}\n")
        said += f" (traceback in {file})"
    done.failures[name] = said
    log.warning(f"{name} failed, and the rest goes on: {said}")


def safe(name: str) -> str:
    """As the name of a file."""
    stem = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)
    return stem if stem == name else f"{stem}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _of(ready: Ready) -> list[Any]:
    """What its numbers stand under, and what decides them."""
    return [ready.subject.name, ready.subject.run, ready.key]


def _place(case: Case) -> str:
    """A corpus with its held-out files, as the name of a folder."""
    return f"{safe(Path(case.corpus).name)}-{case.held_out[:6]}"
