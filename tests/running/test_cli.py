"""What the commands share: options as they were given, the parser's words, what constructors refuse."""

import traceback
from pathlib import Path

import pytest
from lightning_fabric.utilities.exceptions import MisconfigurationException

from semisupcon.errors import UserError
from semisupcon.running.cli import Command
from semisupcon.running.given import Given, explicit_none, options, read_config
from semisupcon.running.parser import Parser, reworded
from semisupcon.running.refusal import refused
from semisupcon.training.cli import Pretrain


@pytest.mark.parametrize(
    ("given", "spelt"),
    [
        (["--data.ssl_task=None"], ["--data.ssl_task=null"]),
        (["--data.ssl_task", "None"], ["--data.ssl_task", "null"]),
        (["--run_name=None-1", "--data.sl_task=NoneSuch"], ["--run_name=None-1", "--data.sl_task=NoneSuch"]),
        (["None"], ["None"]),
        ([], []),
    ],
)
def test_none_is_spelt_for_the_parser(given, spelt):
    assert explicit_none(given) == spelt


def test_options_are_found_in_the_order_in_which_they_count(tmp_path):
    config = tmp_path / "a.yaml"
    config.write_text("data:\n  batch_size: 3\n  sl_kwargs: {root: x}\n")

    found = options(["--data.batch_size=1", "--config", str(config), "-c", "{data: {views: 5}}", "--log", "true"])

    assert [str(each) for each in found if "." in each.option or each.option == "log"] == [
        "--data.batch_size=1",
        f"data.batch_size=3 (in {config})",
        f"data.sl_kwargs={{'root': 'x'}} (in {config})",
        f"data.sl_kwargs.root=x (in {config})",
        "data.views=5 (in {data: {views: 5}})",
        "--log=true",
    ]


def test_init_args_may_be_left_out_of_a_name():
    given = Given("model.encoder.out", "3")

    assert given.means("model.encoder.init_args.out")
    assert not given.means("model.encoder.init_args.stem")


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_an_empty_config_gives_nothing(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)

    assert read_config(str(tmp_path / "a.yaml")) == {}


def test_the_innermost_key_says_what_was_expected():
    text = (
        'Parser key "model":\n  Does not validate against any of the Union subtypes\n  Errors:\n'
        "    - Problem with given class_path 'x.Probe':\n        Parser key \"head\":\n"
        "          Expected a typing.Literal['linear', 'mlp']. Got value: liner\n"
        "    - Expected a <class 'NoneType'>\n  Given value: liner"
    )

    assert reworded(text, [], [Given("model.init_args.head", "liner")]) == [
        "--model.init_args.head=liner: expected one of linear, mlp."
    ]


def test_of_one_option_given_twice_the_wrong_value_is_shown():
    text = "Parser key \"data.views\":\n  Expected a <class 'int'>. Got value: two"

    assert reworded(text, [], [Given("data.views", "two", "a.yaml"), Given("data.views", "2")]) == [
        "data.views=two (in a.yaml): expected a whole number."
    ]


def test_what_is_not_understood_is_passed_on_but_cut():
    lines = [f"line {number}" for number in range(40)]

    assert reworded("\n".join(lines), [], []) == lines[:8]


def test_the_parser_never_prints_or_exits_by_itself(capsys):
    parser = Parser(prog="python x.py", allow_abbrev=False)
    parser.add_argument("--depth", type=int, default=1)

    with pytest.raises(
        UserError, match=r"--dept=2: there is no such option.\nDid you mean --depth\?\nAll options: pyth"
    ):
        parser.parse_args(["--dept=2"])
    assert capsys.readouterr() == ("", "")


def test_two_unknown_options_are_both_named():
    parser = Parser(prog="x", allow_abbrev=False)
    parser.add_argument("--group.depth", type=int, default=1)

    with pytest.raises(UserError) as error:
        parser.parse_args(["--group.dept=2", "--grup.depth=3"])

    assert str(error.value).count("Did you mean --group.depth?") >= 1
    assert "--grup.depth=3: there is no such option" in str(error.value)


class Layer:
    def __init__(self, width: int = 1) -> None:
        if width < 0:
            raise ValueError(f"width must be positive, not {width}")


@pytest.mark.parametrize(
    "error", [ValueError("too big"), MisconfigurationException("too big"), ModuleNotFoundError("too big")]
)
def test_what_a_constructor_refuses_is_the_users(error):
    with pytest.raises(UserError, match=r"^too big$"), refused({}):
        raise error


def test_the_option_of_the_class_that_refuses_is_named():
    with pytest.raises(UserError) as error, refused({"Layer": "model.layer"}):
        Layer(width=-1)

    said, where = str(error.value).splitlines()
    assert said == "--model.layer (Layer): width must be positive, not -1"
    assert where.startswith("(ValueError in ")
    assert "test_cli.py, line " in where


def test_a_bug_is_taken_out_of_the_parsers_errors_with_its_traceback():
    def buggy() -> None:
        raise AttributeError("a bug")

    def wrapped() -> None:
        try:
            buggy()
        except AttributeError as error:
            raise ValueError("Does not validate against any of the Union subtypes") from error

    with pytest.raises(AttributeError, match="a bug") as error, refused({}):
        wrapped()
    assert "in buggy" in "".join(traceback.format_tb(error.value.__traceback__))


def test_a_user_error_inside_the_parsers_errors_comes_out_as_it_is():
    def wrapped() -> None:
        try:
            raise UserError("no such checkpoint")
        except UserError as error:
            raise ValueError("Does not validate against any of the Union subtypes") from error

    with pytest.raises(UserError, match=r"^no such checkpoint$"), refused({"Layer": "x"}):
        wrapped()


def test_a_folder_named_on_the_command_line_replaces_only_what_it_must():
    spell = object.__new__(Pretrain).spell

    assert spell(["--data.data_dir=x"])[-1] == "--data.ssl_task=null"
    assert spell(["--data.data_dir", "x"])[-1] == "--data.ssl_task=null"
    assert spell(["--data.data_dir=None"]) == ["--data.data_dir=null"]
    assert spell(["--data.data_dir=x", "--data.ssl_task=gtzan"])[-1] == "--data.ssl_task=gtzan"


def test_the_bounds_are_of_options_that_exist(monkeypatch):
    class Parsed(Pretrain):
        def instantiate_classes(self):
            pass

    monkeypatch.chdir(Path(__file__).parents[2])
    config = Parsed(["--config", Pretrain.base]).config

    assert set(Command.bounds) < set(Pretrain.bounds)
    assert [name for name in Pretrain.bounds if name not in config] == []
