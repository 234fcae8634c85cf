"""From a task's name to its corpus: what a user reads after a slip of the keyboard."""

import importlib.util
import inspect

import pytest

from semisupcon.datasets import TASKS, load
from semisupcon.errors import UserError
from semisupcon.table import Table, Task

# A corpus whose file is still to come cannot be looked at; none may stay like that.
THERE = [
    name for name, where in TASKS.items() if importlib.util.find_spec(f"semisupcon.datasets.{where.split(':')[0]}")
]


@pytest.mark.parametrize(
    ("wrong", "right"), [("gztan", "gtzan"), ("mtat_top", "mtat_top50"), ("nsynth_instr_fam", "nsynth_instr_family")]
)
def test_an_unknown_task_is_answered_with_the_nearest(wrong, right):
    with pytest.raises(UserError) as error:
        load(wrong)
    assert f"--data.sl_task={wrong}: no such task. Did you mean {right}?" in str(error.value)
    assert ", ".join(sorted(TASKS)) in str(error.value)


def test_nothing_is_guessed_where_nothing_is_near():
    with pytest.raises(UserError) as error:
        load("imagenet", option="--data.ssl_task")
    assert "--data.ssl_task=imagenet: no such task.\n" in str(error.value)


def test_a_misspelt_option_is_answered_with_the_nearest():
    with pytest.raises(UserError) as error:
        load("mtat_top50", split_fil="x")
    assert "--data.sl_kwargs.split_fil: mtat_top50 takes no such option. Did you mean split_file?" in str(error.value)
    assert "Its options are: root, split_file." in str(error.value)


def test_the_option_is_that_of_the_pool_that_asked():
    with pytest.raises(UserError, match=r"--data.ssl_kwargs.colour: gtzan takes no such option"):
        load("gtzan", option="--data.ssl_task", colour="blue")


@pytest.mark.parametrize("name", THERE)
def test_every_option_of_a_corpus_has_a_type_and_a_default(name):
    module, function = TASKS[name].split(":")
    corpus = getattr(importlib.import_module(f"semisupcon.datasets.{module}"), function)
    signature = inspect.signature(corpus, eval_str=True)
    assert signature.return_annotation == tuple[Table, Task]
    assert corpus.__doc__
    for option in signature.parameters.values():
        assert option.default is not inspect.Parameter.empty, option
        assert option.annotation is not inspect.Parameter.empty, option


@pytest.mark.parametrize("name", [name for name in THERE if not name.startswith("synth")])
def test_a_folder_that_is_not_there_is_a_clear_error(name, tmp_path):
    with pytest.raises(UserError) as error:
        load(name, root=str(tmp_path / "nowhere"))
    assert str(error.value).startswith(f"{name}: no ")
    assert f"{tmp_path}/nowhere" in str(error.value)
    assert "--data.sl_kwargs.root" in str(error.value)
