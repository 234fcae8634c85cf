"""What a benchmark is asked to do; every argument is an option of ``python -m semisupcon.benchmark``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

from semisupcon.augment.registry import TRANSFORMS
from semisupcon.datasets import TASKS
from semisupcon.errors import UserError, did_you_mean
from semisupcon.evaluation.cases import GivenTask
from semisupcon.evaluation.corruption import ROBUSTNESS

Part = Literal["probe", "few", "zero_shot", "neighbours", "retrieval", "shape", "robustness", "finetune"]
Probe = Literal["linear", "mlp", "marble"]

PARTS: tuple[str, ...] = get_args(Part)
USUAL: tuple[Part, ...] = ("probe", "few", "zero_shot", "neighbours", "retrieval", "shape", "robustness")

EMBEDDED = tuple(name for name in TASKS if name.startswith("synth_"))


class Options:
    """What is evaluated, and how.

    Args:
        tasks: names (any that pretrain.py knows, a manifest, a function of yours), or mappings of a name and options
            of its corpus, {name: gtzan, root: data/gtzan}; None = the five of the embedded corpus.
        task_kwargs: options of the tasks' corpora by the tasks' names, such as --task_kwargs.gtzan.root=data/gtzan.
        untrained: how many untrained encoders of the first checkpoint's architecture to compare with, as runs of one.
        parts: of the evaluation: probe (linear and MLP, with a control on shuffled labels), few (probes of few labels),
            zero_shot (class prototypes), neighbours (k nearest), retrieval, shape (diagnostics and maps), robustness;
            finetune (everything trained, on few labels) is asked for by name, for it takes long.
        probes: linear, mlp, marble (MARBLE's constrained track); None = linear and mlp, and marble for its own tasks.
        seeds: of MLP probes and of fine-tuning. The linear probe is solved to its optimum and needs none.
        decays: the weight decays that linear probes choose from, by validation.
        mlp_decays: those that MLP probes choose from.
        shares: of the training labels, for few and finetune.
        zero_shot_shares: of the training clips, that prototypes are made of.
        subsets: how many different subsets of each share, except of all.
        corruptions: augmentations that test clips are put under.
        severities: of them, 1 to 5.
        draws: of the bootstrap.
        target_len: seconds of a segment; None = what each encoder was trained on, 2.7 without one.
        device: cpu, cuda, ..., or auto.
        num_workers: loading processes.
        store: folder of the stores that python -m semisupcon.prepare makes; None = in the cache.
        leak_check: training files that are copies of validation or test files: drop them, stop, or off.
        finetune: further options of finetune.py for fine-tuning, such as [--trainer.max_epochs=20].
        seed: of subsets, maps and corruption.
    """

    def __init__(
        self,
        tasks: list[str | dict[str, Any]] | None = None,
        task_kwargs: dict[str, Any] | None = None,
        untrained: int = 0,
        parts: list[Part] | None = None,
        probes: list[Probe] | None = None,
        seeds: list[int] | None = None,
        decays: list[float] | None = None,
        mlp_decays: list[float] | None = None,
        shares: list[float] | None = None,
        zero_shot_shares: list[float] | None = None,
        subsets: int = 3,
        corruptions: list[str] | None = None,
        severities: list[float] | None = None,
        draws: int = 1000,
        target_len: float | None = None,
        device: str = "auto",
        num_workers: int = 2,
        store: str | None = None,
        leak_check: Literal["drop", "stop", "off"] = "drop",
        finetune: list[str] | None = None,
        seed: int = 0,
    ) -> None:
        self.tasks: Sequence[GivenTask] = EMBEDDED if tasks is None else tasks
        self.task_kwargs = task_kwargs or {}
        self.untrained = untrained
        self.parts: Sequence[Part] = USUAL if parts is None else parts
        self.probes = probes
        self.seeds = [0, 1, 2] if seeds is None else seeds
        self.decays = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0] if decays is None else decays
        self.mlp_decays = [1e-6, 1e-4, 1e-2] if mlp_decays is None else mlp_decays
        self.shares = [0.01, 0.05, 0.1, 0.25, 1.0] if shares is None else shares
        self.zero_shot_shares = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0] if zero_shot_shares is None else zero_shot_shares
        self.subsets, self.draws, self.seed = subsets, draws, seed
        self.corruptions = list(ROBUSTNESS) if corruptions is None else corruptions
        self.severities = [1.0, 2.0, 3.0, 4.0, 5.0] if severities is None else severities
        self.target_len, self.device, self.num_workers, self.store = target_len, device, num_workers, store
        self.leak_check: Literal["drop", "stop", "off"] = leak_check
        self.finetune = finetune or []
        self._check()

    def drawn(self, shares: Sequence[float]) -> Iterator[tuple[float, int]]:
        """Each share with the numbers of its subsets; of all there is one."""
        for share in shares:
            for draw in range(self.subsets if share < 1 else 1):
                yield share, draw

    def _check(self) -> None:
        for name in ("shares", "zero_shot_shares"):
            if wrong := [share for share in getattr(self, name) if not 0 < share <= 1]:
                raise UserError(f"--{name} holds {wrong[0]:g}: shares between 0 and 1 are meant, such as 0.05.")
        if wrong := [value for value in self.severities if not 0 < value <= 5]:
            raise UserError(f"--severities holds {wrong[0]:g}: above 0 (clean, which is there anyway) and up to 5.")
        if wrong := [value for value in self.decays if not value > 0]:
            raise UserError(
                f"--decays holds {wrong[0]:g}: a linear probe has no optimum without decay; above 0 is meant."
            )
        lists = ("seeds", "decays", "mlp_decays", "severities", "shares", "zero_shot_shares", "parts", "probes")
        for name in (*lists, "corruptions"):
            given = getattr(self, name)
            if given is not None and not given:
                raise UserError(f"--{name} is empty.")
            if given is not None and len(set(given)) < len(given):
                raise UserError(f"--{name}={given}: names something twice.")
        for name, value, least in (
            ("subsets", self.subsets, 1),
            ("draws", self.draws, 20),
            ("untrained", self.untrained, 0),
        ):
            if value < least:
                raise UserError(f"--{name}={value}: at least {least} is needed.")
        for corruption in self.corruptions:
            if corruption not in TRANSFORMS:
                raise UserError(
                    f"--corruptions: no such augmentation as {corruption!r}.{did_you_mean(corruption, TRANSFORMS)}\n"
                    f"The augmentations are: {', '.join(TRANSFORMS)}."
                )
