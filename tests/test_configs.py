"""Every shipped YAML fits the real signatures, says only what differs, and names nobody's own folders."""

import inspect
import itertools
from pathlib import Path

import pytest
import yaml
from pytorch_lightning import Trainer

from benchmarks.compare import SYSTEMS
from semisupcon import datasets
from semisupcon.downstream.cli import Evaluate
from semisupcon.errors import UserError
from semisupcon.training.cli import Pretrain

CONFIG = Path(__file__).parents[1] / "config"
PRETRAINING = CONFIG / "pretraining"
SMSL = PRETRAINING / "pretrain_smsl.yaml"
PLAIN = [PRETRAINING / f"pretrain_{name}.yaml" for name in ("smsl", "ssl", "sl")]
# What is in sweeps/ are other programs' definitions of sweeps; see evaluation/test_sweep.py.
ALL = sorted(path for path in CONFIG.rglob("*.yaml") if path.parent.name != "sweeps")
TASKS = [path for path in ALL if path.parent.name == "tasks"]
SMALL = [[CONFIG / f"{name}.yaml" for name in names] for system in SYSTEMS.values() for names in system]
# What is nothing alone, and the configs that it stands with.
WITH = {PRETRAINING / "base.yaml": [SMSL], PRETRAINING / "demo.yaml": [SMSL]} | {
    names[-1]: names[:-1] for names in SMALL if names[-1].parent.name == "small"
}
BASES = {
    Pretrain: [path for path in sorted(PRETRAINING.glob("*.yaml")) if path not in WITH],
    Evaluate: sorted((CONFIG / "finetuning").glob("*.yaml")),
}


def content(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def only_for_pretraining(path: Path) -> bool:
    return path.parent.name == "pretraining" or bool(set(content(path)["data"]) & {"ssl_task", "data_dir"})


def uses() -> list:
    """Every base alone, and every delta behind the bases that it is for."""
    found = [[command, [base]] for command, bases in BASES.items() for base in bases]
    found += [[Pretrain, [*first, path]] for path, first in WITH.items()]
    found += [[Pretrain, names] for names in SMALL]
    found += [[Pretrain, [base, path]] for base in PLAIN for path in TASKS]
    found += [[Evaluate, [base, p]] for base in BASES[Evaluate] for p in TASKS if not only_for_pretraining(p)]
    return [pytest.param(*case, id="-".join(path.stem for path in case[1])) for case in found]


def parse(command, *configs):
    """What a command makes of its configs, without building anything."""

    class Parsed(command):
        def instantiate_classes(self):
            pass

    return Parsed([arg for config in configs for arg in ("--config", str(config))]).config


@pytest.mark.parametrize(("command", "configs"), uses())
def test_a_config_fits_the_signatures(command, configs):
    config = parse(command, *configs).as_dict()

    if configs[-1].name == "base.yaml":  # which is read before the config that it stands with, and wins over nothing
        return
    for option, value in _leaves(content(configs[-1])):
        if option != "include":  # of several configs the last one's stands there
            assert _at(config, option) == value, option


def test_every_config_is_tried():
    tried = {path for case in uses() for path in case.values[1]}

    assert tried == set(ALL)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    "place", [[], ["data"], ["model", "init_args"], ["trainer"]], ids=lambda place: ".".join(place)
)
def test_a_misspelt_key_is_refused(path, place, tmp_path):
    command = Evaluate if path.parent.name == "finetuning" else Pretrain
    if command is Pretrain and place[-1:] == ["init_args"]:
        place = ["model", "encoder", "init_args"]
    config = content(path)
    here = config
    for key in place:
        here = here.setdefault(key, {})
    here["misspelt"] = 1
    wrong = tmp_path / "wrong.yaml"
    bases = WITH.get(path, [path] if path.parent.name != "tasks" else [SMSL])
    config.pop("include", None)  # it is read from the folder of the config, and this one is elsewhere
    wrong.write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match=r"misspelt=1 \(in .*wrong.yaml\)|takes no misspelt"):
        parse(command, *bases, wrong)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_config_is_short_and_says_what_it_is(path):
    lines = path.read_text(encoding="utf-8").splitlines()

    assert lines[0].startswith("# ")
    assert len(lines) <= 35
    for option, value in _leaves(content(path)):
        assert not str(value).startswith(("/", "~")), f"{option}: somebody's own folder"


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_no_default_of_the_trainer_is_repeated(path):
    defaults = {name: parameter.default for name, parameter in inspect.signature(Trainer).parameters.items()}

    given = content(path).get("trainer", {})

    assert not {name for name in given if given[name] == defaults[name]}


@pytest.mark.parametrize("path", [p for p in ALL if "include" in content(p)], ids=lambda path: path.stem)
def test_no_config_says_what_those_that_it_includes_say(path):
    command = Evaluate if path.parent.name == "finetuning" else Pretrain
    below = path.parent / content(path)["include"]
    if below.name == "base.yaml":  # which is nothing alone
        included = content(below)
    else:
        included = parse(command, *([SMSL] if path in WITH else []), below).as_dict()

    said = [(option, value) for option, value in _leaves(content(path)) if option != "include"]

    assert said
    assert not [option for option, value in said if _at(included, option, None) == value]


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(ALL, 2)), ids=lambda path: path.stem)
def test_no_config_repeats_the_lines_of_another(one, other):
    """Three options of the same values are a block that one could take from the other."""
    both = set(map(str, _leaves(content(one)))) & set(map(str, _leaves(content(other))))

    assert len({each for each in both if "class_path" not in each}) <= 2, both


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_task_and_its_options_exist(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # so that its folder is not there
    data = content(path)["data"]

    with pytest.raises(UserError) as refused:
        datasets.load(data["sl_task"], **data["sl_kwargs"])

    assert data["sl_kwargs"]["root"] in str(refused.value), "the folder is missing, not the task or the option"


def _leaves(config: dict, prefix: str = "") -> list:
    out = []
    for key, value in config.items():
        out += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return out


def _at(config: dict, option: str, *default):
    for key in option.split("."):
        if default and (not isinstance(config, dict) or key not in config):
            return default[0]
        config = config[key]
    return config
