"""What may import what: the rules of the design, held by walking the syntax trees of the package.

Every rule is shown to find a violation that is planted for it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from semisupcon import datasets

PACKAGE = Path(datasets.__file__).parents[1]
LIGHTNING = ("pytorch_lightning", "lightning", "lightning_fabric")
HELPERS = ("keys", "layout", "lists", "splits")  # of several corpora, and none themselves
LAZY = ("wandb", "matplotlib")


@dataclass(frozen=True)
class Import:
    """One name that a module imports, in full, and whether only when a function is called."""

    name: str
    lazy: bool

    def of(self, *packages: str) -> bool:
        return any(self.name == package or self.name.startswith(f"{package}.") for package in packages)


class Module:
    """One file of the package: its name, its place (the part of the package it belongs to), tree and imports."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.part = name.split(".")[1] if "." in name else ""
        self.tree = ast.parse(source)
        self.imports = list(self._imports(self.tree, lazy=False))

    def _imports(self, node: ast.AST, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, lazy) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                above = ".".join(self.name.split(".")[: -child.level]) if child.level else ""
                source = ".".join(part for part in (above, child.module) if part)
                yield from (Import(f"{source}.{alias.name}", lazy) for alias in child.names)
            inner = lazy or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from self._imports(child, inner)


@cache
def package() -> list[Module]:
    """All files of the package."""
    modules = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        # An __init__ keeps that name, so that relative imports in it count from the right place.
        modules.append(Module(".".join(parts), path.read_text(encoding="utf-8")))
    return modules


def no_upper_floor_below(module: Module) -> Iterator[str]:
    upper = tuple(f"semisupcon.{part}" for part in ("datasets", "loading", "training", "downstream", "running"))
    if module.part in ("encoders", "objectives", "augment"):
        yield from (each.name for each in module.imports if each.of(*upper, *LIGHTNING))


def encoders_and_objectives_are_strangers(module: Module) -> Iterator[str]:
    other = {"encoders": "objectives", "objectives": "encoders"}.get(module.part)
    yield from (each.name for each in module.imports if other and each.of(f"semisupcon.{other}"))


def corpora_stand_alone(module: Module) -> Iterator[str]:
    if module.part != "datasets" or module.name == "semisupcon.datasets.__init__":
        return
    corpus = module.name.split(".")[2]
    mine = [f"semisupcon.datasets.{name}" for name in (corpus, *HELPERS)]
    shared = [f"semisupcon.{name}" for name in ("table", "audio", "errors", "cache")]
    for each in module.imports:
        if each.of("semisupcon") and not each.of(*mine, *shared):
            yield each.name


def corpora_know_no_torch(module: Module) -> Iterator[str]:
    if module.part == "datasets":
        yield from (i.name for i in module.imports if i.of("torch", "torchaudio", *LIGHTNING) and not i.lazy)


def loading_names_no_corpus(module: Module) -> Iterator[str]:
    if module.part != "loading":
        return
    resolver = ("load", "load_folder", "TASKS", "splits", "splits.save")
    for each in module.imports:
        rest = each.name.removeprefix("semisupcon.datasets").removeprefix(".")
        if each.of("semisupcon.datasets") and rest and rest not in resolver:
            yield each.name
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and node.value in datasets.TASKS:
            yield f"{node.value!r}"


def loading_serves_and_asks_nobody_above(module: Module) -> Iterator[str]:
    above = tuple(f"semisupcon.{part}" for part in ("curation", "running", "training", "downstream"))
    if module.part == "loading":
        yield from (each.name for each in module.imports if each.of(*above))


def curation_knows_files_and_not_models(module: Module) -> Iterator[str]:
    shared = ("table", "audio", "errors", "plain", "workers", "bar", "datasets", "loading", "running", "curation")
    models = [f"semisupcon.{part}" for part in ("running.cli", "running.callbacks")]
    for each in module.imports if module.part == "curation" else ():
        if (each.of("semisupcon") and not each.of(*(f"semisupcon.{part}" for part in shared))) or each.of(*models):
            yield each.name


def training_and_downstream_are_strangers(module: Module) -> Iterator[str]:
    other = {"training": "downstream", "downstream": "training"}.get(module.part)
    yield from (each.name for each in module.imports if other and each.of(f"semisupcon.{other}"))


def lightning_stays_above(module: Module) -> Iterator[str]:
    allowed = module.part in ("training", "downstream", "running") or module.name == "semisupcon.loading.datamodule"
    yield from (each.name for each in module.imports if each.of(*LIGHTNING) and not allowed)


def inference_needs_no_training(module: Module) -> Iterator[str]:
    parts = ("training", "downstream", "running", "curation", "evaluation", "loading.datamodule")
    above = [f"semisupcon.{part}" for part in parts]
    if module.part in ("inference", "embed", "command"):
        yield from (each.name for each in module.imports if each.of(*LIGHTNING, "wandb", *above))


def pictures_and_wandb_are_lazy(module: Module) -> Iterator[str]:
    allowed = module.name.rpartition(".")[2] in ("callbacks", "plots", "loggers")
    yield from (each.name for each in module.imports if each.of(*LAZY) and not (allowed and each.lazy))


def no_way_out_of_the_package(module: Module) -> Iterator[str]:
    yield from (each.name for each in module.imports if each.of("pretrain", "finetune", "tests", "benchmarks"))


def no_reaching_through_the_trainer(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in ("datamodule", "callbacks"):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name == "trainer":
                yield ast.unparse(node)


def no_print(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield ast.unparse(node)


Rule = Callable[[Module], Iterator[str]]

# Each rule with violations of it: the module and its source.
PLANTED: dict[Rule, list[tuple[str, str]]] = {
    no_upper_floor_below: [
        ("semisupcon.encoders.x", "from semisupcon.loading import views"),
        ("semisupcon.objectives.x", "def f():\n    import pytorch_lightning.callbacks"),
        ("semisupcon.augment.x", "from semisupcon import datasets"),
        ("semisupcon.encoders.x", "from ..running.cli import Command"),
    ],
    encoders_and_objectives_are_strangers: [
        ("semisupcon.encoders.x", "from semisupcon.objectives.kernel import Rows"),
        ("semisupcon.objectives.x", "from semisupcon import encoders"),
    ],
    corpora_stand_alone: [
        ("semisupcon.datasets.gtzan", "from semisupcon.datasets.mtat import FOLDERS"),
        ("semisupcon.datasets.gtzan", "from semisupcon.datasets import mtat"),
        ("semisupcon.datasets.gtzan", "from . import mtat"),
        ("semisupcon.datasets.gtzan", "from semisupcon.loading import views"),
        ("semisupcon.datasets.gtzan", "from semisupcon import batch"),
        ("semisupcon.datasets.layout", "from semisupcon.datasets.folder import folder"),
    ],
    corpora_know_no_torch: [
        ("semisupcon.datasets.gtzan", "import torch.nn"),
        ("semisupcon.datasets.__init__", "from torchaudio.datasets import gtzan"),
        ("semisupcon.datasets.gtzan", "try:\n    import torch\nexcept ImportError:\n    torch = None"),
    ],
    loading_names_no_corpus: [
        ("semisupcon.loading.x", "from semisupcon.datasets.gtzan import gtzan"),
        ("semisupcon.loading.x", "from semisupcon.datasets import nsynth"),
        ("semisupcon.loading.x", "if name == 'synth_key':\n    pass"),
    ],
    loading_serves_and_asks_nobody_above: [
        ("semisupcon.loading.x", "from semisupcon.curation.cli import parse"),
        ("semisupcon.loading.x", "def f():\n    from semisupcon.running import ranks"),
    ],
    curation_knows_files_and_not_models: [
        ("semisupcon.curation.x", "from semisupcon.encoders import SampleCNN"),
        ("semisupcon.curation.x", "from semisupcon.running.cli import Command"),
        ("semisupcon.curation.x", "def f():\n    from semisupcon.training import cli"),
    ],
    training_and_downstream_are_strangers: [
        ("semisupcon.training.x", "from semisupcon.downstream.probe import Probe"),
        ("semisupcon.downstream.x", "def f():\n    from semisupcon.training import contrastive"),
    ],
    lightning_stays_above: [
        ("semisupcon.loading.views", "import pytorch_lightning as pl"),
        ("semisupcon.checkpoint", "from lightning_fabric.utilities import seed"),
        ("semisupcon.datasets.gtzan", "def f():\n    import pytorch_lightning"),
    ],
    inference_needs_no_training: [
        ("semisupcon.inference.x", "from semisupcon.downstream.embed import encode"),
        ("semisupcon.inference.x", "def f():\n    from semisupcon.running import screen"),
        ("semisupcon.inference.x", "from semisupcon.loading.datamodule import MixedDataModule"),
        ("semisupcon.embed", "def f():\n    import wandb"),
        ("semisupcon.embed", "from semisupcon import training"),
        ("semisupcon.command", "from lightning_fabric.utilities.exceptions import MisconfigurationException"),
    ],
    pictures_and_wandb_are_lazy: [
        ("semisupcon.training.callbacks", "import matplotlib.pyplot as plt"),
        ("semisupcon.training.callbacks", "class A:\n    import wandb"),
        ("semisupcon.training.contrastive", "def f():\n    import wandb"),
    ],
    no_way_out_of_the_package: [
        ("semisupcon.demo", "import pretrain"),
        ("semisupcon.demo", "from tests.commandline import music"),
        ("semisupcon.demo", "def f():\n    from finetune import main"),
    ],
    no_reaching_through_the_trainer: [
        ("semisupcon.training.x", "class M:\n    def f(self):\n        return self.trainer.datamodule.pools"),
        ("semisupcon.downstream.x", "def f(trainer):\n    return [c for c in trainer.callbacks]"),
    ],
    no_print: [("semisupcon.table", "print('here')")],
}


@pytest.mark.parametrize("rule", PLANTED, ids=lambda rule: rule.__name__)
def test_the_package_keeps(rule):
    broken = [f"{module.name}: {what}" for module in package() for what in rule(module)]

    assert broken == []


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [(rule, name, source) for rule, planted in PLANTED.items() for name, source in planted],
    ids=[f"{rule.__name__}-{number}" for rule, planted in PLANTED.items() for number in range(len(planted))],
)
def test_a_violation_is_found(rule, name, source):
    assert list(rule(Module(name, source)))


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (corpora_stand_alone, "semisupcon.datasets.gtzan", "from semisupcon.datasets import layout, lists"),
        (corpora_stand_alone, "semisupcon.datasets.synth.plan", "from semisupcon.datasets.synth.score import GATES"),
        (corpora_know_no_torch, "semisupcon.datasets.gtzan", "def f():\n    import torchaudio"),
        (loading_names_no_corpus, "semisupcon.loading.pools", "'''gtzan, say'''\nfrom semisupcon import datasets"),
        (pictures_and_wandb_are_lazy, "semisupcon.downstream.plots", "def f():\n    import matplotlib"),
        (encoders_and_objectives_are_strangers, "semisupcon.training.x", "from semisupcon.encoders import SampleCNN"),
        (inference_needs_no_training, "semisupcon.inference.x", "from semisupcon.loading import segments"),
        (inference_needs_no_training, "semisupcon.running.x", "from semisupcon.inference.embedder import Embedder"),
    ],
)
def test_what_is_allowed_is_not_found(rule, name, source):
    assert not list(rule(Module(name, source)))


def test_every_file_of_the_package_is_looked_at():
    names = {module.name for module in package()}

    assert {"semisupcon.table", "semisupcon.datasets.synth.plan", "semisupcon.running.cli"} <= names
    assert len(names) == len(list(PACKAGE.rglob("*.py")))
    assert {name.split(".")[1] for name in names} >= {"encoders", "objectives", "augment", "loading", "training"}
