"""Every shipped YAML fits the real signatures, says only what differs, and names nobody's own folders."""

import inspect
from pathlib import Path

import pytest
import yaml
from pytorch_lightning import Trainer

from semisupcon import datasets
from semisupcon.downstream.cli import Evaluate
from semisupcon.errors import UserError
from semisupcon.training.cli import Pretrain

CONFIG = Path(__file__).parents[1] / "config"
BASES = {
    Pretrain: [CONFIG / "pretraining" / f"pretrain_{name}.yaml" for name in ("ssl", "smsl", "sl")],
    Evaluate: [CONFIG / "finetuning" / f"{name}.yaml" for name in ("probe", "finetune")],
}
ALL = sorted(CONFIG.rglob("*.yaml"))


def content(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def only_for_pretraining(path: Path) -> bool:
    return path.parent.name == "pretraining" or bool(set(content(path)["data"]) & {"ssl_task", "data_dir"})


def uses() -> list:
    """Every base alone, and every delta behind each base that it is for."""
    found = []
    for command, bases in BASES.items():
        deltas = [path for path in ALL if path.parent.name == "tasks"]
        deltas += [path for path in ALL if path.parent == bases[0].parent and path not in bases]
        if command is Evaluate:
            deltas = [path for path in deltas if not only_for_pretraining(path)]
        for base in bases:
            found.append(pytest.param(command, [base], id=base.stem))
            found += [pytest.param(command, [base, path], id=f"{base.stem}-{path.stem}") for path in deltas]
    return found


def parse(command, *configs):
    """What a command makes of its configs, without building anything."""

    class Parsed(command):
        def instantiate_classes(self):
            pass

    return Parsed([arg for config in configs for arg in ("--config", str(config))]).config


@pytest.mark.parametrize(("command", "configs"), uses())
def test_a_config_fits_the_signatures(command, configs):
    config = parse(command, *configs).as_dict()

    for option, value in _leaves(content(configs[-1])):
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
    wrong.write_text(yaml.safe_dump(config))

    with pytest.raises(UserError, match=r"misspelt=1 \(in .*wrong.yaml\)|takes no misspelt"):
        parse(command, BASES[command][0], wrong)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_config_is_short_and_says_what_it_is(path):
    lines = path.read_text(encoding="utf-8").splitlines()

    assert lines[0].startswith("# ")
    assert len(lines) <= (45 if path in [*BASES[Pretrain], *BASES[Evaluate]] else 25)
    for option, value in _leaves(content(path)):
        assert not str(value).startswith(("/", "~")), f"{option}: somebody's own folder"


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_no_default_of_the_trainer_is_repeated(path):
    defaults = {name: parameter.default for name, parameter in inspect.signature(Trainer).parameters.items()}

    given = content(path).get("trainer", {})

    assert not {name for name in given if given[name] == defaults[name]}


@pytest.mark.parametrize("path", [p for p in ALL if p.parent.name == "tasks"], ids=lambda path: path.stem)
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


def _at(config: dict, option: str):
    for key in option.split("."):
        config = config[key]
    return config
