"""The benchmarks of augmentation and of a training step still run, and count what they say they count."""

import csv
import sys
import time

import pytest
import torch

from benchmarks import augment, chains, clock, step, theirs, train_step
from benchmarks.show import table
from benchmarks.sound import RATE, music
from semisupcon.augment import TRANSFORMS, Transform
from semisupcon.augment.presets import PRESETS
from semisupcon.encoders import SampleCNN

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _tame(monkeypatch):
    """Nothing is changed for the process of the tests, and no others are started."""
    for module in (augment, train_step):
        monkeypatch.setattr(module, "keep_memory", lambda: None)
    monkeypatch.setattr(augment, "fresh", lambda *_: {"held": 3.0, "resident": 4.0})


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def run_augment(path, *options):
    augment.main(["--views", "2", "--sizes", "2048", "--repeats", "1", "--budget", "0", "--csv", str(path), *options])
    return rows_of(path)


def run_step(path, *options):
    small = ("--batch", "4", "--seconds", "0.1", "--steps", "1", "--workers", "0", "--tiny", "--data", "memory")
    train_step.main([*small, "--csv", str(path), *options])
    return rows_of(path)


def test_every_transform_and_preset_is_measured(tmp_path, capsys):
    rows = run_augment(tmp_path / "found.csv")
    assert [row["what"] for row in rows if row["part"] == "transform"] == list(TRANSFORMS)
    assert [row["what"] for row in rows if row["part"] == "preset"] == [
        name for name in PRESETS if PRESETS[name].make()
    ]
    assert all(float(row["ms"]) > 0 for row in rows)
    shown = capsys.readouterr().out
    assert all(f"| {name} " in shown for name in TRANSFORMS)


def test_both_libraries_are_measured(tmp_path):
    pytest.importorskip("torch_audiomentations")
    rows = run_augment(tmp_path / "found.csv", "--sizes", "40000")  # of short ones its cuts leave nothing
    beside = {row["what"] for row in rows if row["part"] == "transform" and row["theirs_ms"]}
    assert beside == {"filtering", *theirs.EQUIVALENT}
    ours, _, other = (row for row in rows if row["part"] == "chain")
    assert float(other["factor"]) == pytest.approx(float(other["ms"]) / float(ours["ms"]))


def test_without_the_other_library_ours_is_measured_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_audiomentations", None)
    rows = run_augment(tmp_path / "found.csv")
    assert not any(row["theirs_ms"] for row in rows)
    assert [row["what"] for row in rows if row["part"] == "chain"] == [chains.OURS, chains.FIVE]
    assert "pip install torch-audiomentations" in capsys.readouterr().err


def test_theirs_has_the_ranges_and_probabilities_of_ours():
    pytest.importorskip("torch_audiomentations")
    ours = {name: make() for name, make in TRANSFORMS.items()}
    other = theirs.Theirs(ours, RATE)
    gain = other.module("gain", 0.4)
    assert (gain.min_gain_in_db, gain.max_gain_in_db, gain.p, gain.mode) == (*ours["gain"].gain, 0.4, "per_example")
    filters = other.module("filtering", 0.3)
    assert [(each.p, each.mode) for each in filters.transforms] == [(0.3, "per_example")] * 4
    assert other.module("delay", 1.0) is None


def test_their_chain_is_the_papers_but_for_the_delay(monkeypatch):
    pytest.importorskip("torch_audiomentations")
    other = theirs.Theirs({name: make() for name, make in TRANSFORMS.items()}, RATE)
    asked, module = {}, other.module
    monkeypatch.setattr(other, "module", lambda name, p: asked.setdefault(name, p) and module(name, p))
    effect, share = chains.chains(other)[chains.THEIRS]
    assert [name for name in asked if name not in theirs.FILTERS] == list(chains.PAPER[:-1])
    assert all(p == TRANSFORMS[name]().p for name, p in asked.items())
    assert share == 0.8
    assert effect(music(2, 20_000)).shape == (2, 1, 20_000)


def test_one_of_theirs_that_fails_is_left_out(tmp_path, capsys, monkeypatch):
    def fail(audio):
        raise RuntimeError("too short")

    pytest.importorskip("torch_audiomentations")
    monkeypatch.setattr(theirs.Theirs, "effect", lambda self, name, p: fail if name == "splice" else None)
    rows = run_augment(tmp_path / "found.csv")
    (splice,) = (row for row in rows if row["what"] == "splice")
    assert splice["ms"]
    assert not splice["theirs_ms"]
    assert "splice: ours alone, theirs ended in RuntimeError: too short" in capsys.readouterr().err


def test_memory_is_counted_in_batches():
    class Hungry(Transform):
        def forward(self, audio):
            double = 2 * audio
            more = double + 1
            return more + double

    audio = music(4, 2048)
    assert chains.batches(Hungry(p=1.0), audio) == pytest.approx(4, abs=0.01)
    assert chains.batches(lambda given: given, audio) == 1
    found = chains.memory(chains.OURS, 8, 4096, 1)
    assert 2 <= found["held"] <= 6  # the batch and its copy, and what the effects may hold
    assert found["resident"] >= 1


def test_memory_in_a_process_of_its_own():
    found = chains.fresh(chains.FIVE, music(4, 4096), 1)
    assert set(found) == {"held", "resident"}


def test_slow_calls_are_repeated_less_often():
    calls = []
    clock.alternate({name: lambda name=name: calls.append(name) for name in "ab"}, CPU, 5, 10.0)
    assert calls == list("ab") * 6  # one to warm up
    calls.clear()
    clock.alternate({"a": lambda: calls.append("a")}, CPU, 5, 0.0)
    assert calls == ["a", "a"]


def test_a_gpu_is_warmed_up_longer(monkeypatch):
    monkeypatch.setattr(clock, "synchronize", lambda device: None)
    calls = []
    clock.alternate({"a": lambda: calls.append("a")}, torch.device("cuda"), 2, 10.0)
    assert len(calls) == clock.WARM + 2 > 4


def test_what_is_lost_to_data_is_told_from_a_source_that_is_waited_for():
    class Slow:
        """A batch takes 10 ms, and a step with it 10 ms more."""

        device = CPU

        def __call__(self, source):
            next(source)
            time.sleep(0.01)

    def batches():
        while True:
            time.sleep(0.01)
            yield None

    slow, source = Slow(), batches()
    since = step.unhindered(slow, source, 5)
    assert since == pytest.approx(0.02, rel=0.3)
    assert step.waiting(slow, source, 5, since) == pytest.approx(0.5, abs=0.15)


def test_music_is_the_same_every_time_and_in_range():
    audio = music(20, 3000)
    assert audio.shape == (20, 1, 3000)
    assert torch.equal(audio, music(20, 3000))
    assert audio.abs().amax() <= 1
    assert len(audio.unique(dim=0)) == 20


def test_the_encoder_trains():
    encoder = SampleCNN(**train_step.TINY)
    before = [weight.clone() for weight in encoder.parameters()]
    augment.encoder_step(encoder, music(4, 2048))()
    assert any(not torch.equal(old, new) for old, new in zip(before, encoder.parameters(), strict=True))


def test_a_step_is_divided_into_its_parts(tmp_path, capsys):
    (row,) = run_step(tmp_path / "found.csv")
    parts = [float(row[part]) for part in step.PARTS]
    assert all(part >= 0 for part in parts)
    assert sum(parts) == pytest.approx(float(row["seconds"]))
    assert float(row["rate"]) == pytest.approx(8 / float(row["seconds"]))
    shown = capsys.readouterr().out
    assert all(f"| {part} " in shown for part in step.PARTS)


def test_a_step_from_a_store(tmp_path):
    (row,) = run_step(tmp_path / "found.csv", "--data", "store", "--precision", "bf16")
    assert row["way"] == "bf16"


def test_what_does_not_compile_is_said(tmp_path, capsys, monkeypatch):
    def refuse(self):
        raise RuntimeError("no compiler\nin many words")

    monkeypatch.setattr(SampleCNN, "compile", refuse)
    rows = run_step(tmp_path / "found.csv", "--all")
    assert [(row["way"], row["error"]) for row in rows] == [
        ("32", ""),
        ("compiled 32", "no compiler"),
        ("bf16", ""),
        ("compiled bf16", "no compiler"),
    ]
    assert "compiled bf16 failed: no compiler" in capsys.readouterr().out


def test_operations_are_those_of_the_paper():
    assert train_step.operations(SampleCNN(), 59_049) == pytest.approx(3.46e9, rel=0.01)
    assert train_step.peak(CPU) is None


def test_a_table_leaves_out_what_was_not_measured(capsys):
    table([{"what": "a", "ms": 1.25}, {"what": "bcd"}], {"what": ("name", ""), "ms": ("ms", ".1f")})
    assert capsys.readouterr().out == "| name |  ms |\n| ---  | --- |\n| a    | 1.2 |\n| bcd  |     |\n"
