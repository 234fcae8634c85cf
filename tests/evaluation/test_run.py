"""A benchmark as a whole: once over each file, the same numbers again, resumed, and not stopped by what fails."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from quiet import undone

from semisupcon import checkpoint
from semisupcon.downstream import embed as embed_module
from semisupcon.downstream.intervals import Sampled
from semisupcon.evaluation import run as run_module
from semisupcon.evaluation.cli import main
from semisupcon.evaluation.entries import About, Entry, Estimate
from semisupcon.evaluation.options import Options
from semisupcon.evaluation.run import Benchmark
from semisupcon.evaluation.subjects import parse
from semisupcon.table import Table, Task

TONE = Task("tone", "multiclass", ("low", "middle", "high"), group="player")
MARKS = Task("marks", "multilabel", ("even", "third", "never"))
HEIGHT = Task("height", "regression", ("hertz",))
SHORT = ("--device=cpu", "--num_workers=0", "--draws=40", "--seeds=[0]", "--mlp_decays=[0.0001]", "--subsets=2")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMISUPCON_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tasks(tones, register):
    """Three tasks on the same files."""
    root, path, split = tones
    number = np.array([int(name.split("/")[1][:2]) for name in path])
    group = [f"player {each % 5}" for each in number]
    register(Table.build(root, path, split, np.eye(3)[number % 3], group), TONE)
    marks = np.stack([number % 2 == 0, number % 3 == 0, np.zeros(len(number))], axis=1)
    register(Table.build(root, path, split, marks), MARKS)
    register(Table.build(root, path, split, np.array([200.0, 800, 3000])[number % 3, None]), HEIGHT)
    return ["tone", "marks", "height"]


@pytest.fixture
def save(tmp_path, tiny_encoder):
    """A checkpoint as contrastive pretraining leaves one, with a projection head."""

    def write(name="ours", seed=1):
        encoder = tiny_encoder(seed)
        state = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
        generator = torch.Generator().manual_seed(seed)
        state["projection.0.weight"] = torch.randn(16, 8, generator=generator)
        state["projection.2.weight"] = torch.randn(4, 16, generator=generator)
        (tmp_path / name).mkdir(exist_ok=True)
        about = {"state_dict": state, checkpoint.KEY: checkpoint.describe(encoder, 243)}
        torch.save(about, tmp_path / name / "last.ckpt")
        return str(tmp_path / name / "last.ckpt")

    return write


@pytest.fixture
def forwards(monkeypatch):
    """Counts the segments that are embedded."""
    counted = []
    encode = embed_module.encode
    monkeypatch.setattr(
        embed_module, "encode", lambda encoder, audio: counted.append(len(audio)) or encode(encoder, audio)
    )
    return counted


@pytest.fixture
def command(monkeypatch, capfd):
    def call(*arguments):
        with undone(monkeypatch):
            status = main(list(arguments))
        return status, capfd.readouterr().err

    return call


def _options(tasks, **more):
    return Options(tasks, device="cpu", num_workers=0, draws=40, seeds=[0], mlp_decays=[1e-4], subsets=2, **more)


def test_two_runs_give_the_same_numbers_to_the_last_digit(tasks, save, command, tmp_path, monkeypatch):
    texts = []
    for again in ("one", "two"):
        monkeypatch.setenv("SEMISUPCON_CACHE", str(tmp_path / f"cache-{again}"))
        arguments = [save(), "--untrained=1", f"--tasks=[{','.join(tasks)}]", f"--out={tmp_path / again}", *SHORT]
        status, said = command(*arguments, "--corruptions=[gain,reverse]", "--severities=[1,5]")
        assert status == 0, said
        texts.append([(tmp_path / again / name).read_bytes() for name in ("results.csv", "differences.csv")])
    assert texts[0] == texts[1]
    rows = pd.read_csv(tmp_path / "one" / "results.csv")
    assert set(rows.part) == {"probe", "control", "few", "zero_shot", "neighbours", "retrieval", "robustness"}
    assert set(rows[rows.part == "zero_shot"].space) == {"embedding", "projection"}
    assert set(rows[rows.part == "zero_shot"].task) == {"tone", "marks"}  # targets have no classes
    probes = rows[(rows.task == "tone") & (rows.part == "probe") & rows.main]
    assert len(probes) == 2 * 2 * 3  # encoders, probes, protocols
    assert ((probes.low <= probes.value) & (probes.value <= probes.high)).all()
    corrupted = rows[(rows.part == "robustness") & (rows.task == "tone")]
    assert len(corrupted) == 2 * 2 * 3 * 2  # encoders, corruptions, severities with 0, metrics
    assert (corrupted[corrupted.severity == 0].versus_clean == 0).all()
    assert corrupted.versus_clean.notna().all()
    report = (tmp_path / "one" / "report.md").read_text()
    for picture in (
        "report.png",
        "few_labels.png",
        "zero_shot.png",
        "robustness-tone.png",
        "spectrum.png",
        "maps.html",
    ):
        assert picture in report
        assert (tmp_path / "one" / picture).stat().st_size > 1000


def test_each_encoder_hears_each_file_once_whatever_the_tasks(tasks, save, tmp_path, forwards):
    options = _options(tasks, parts=["probe", "few", "zero_shot", "neighbours", "retrieval", "shape"])
    done = Benchmark(parse([save()]), options, tmp_path / "out").run()
    assert done.failures == {}
    held = list((tmp_path / "cache" / "embeddings").iterdir())
    assert len(held) == 1
    segments = sum(len(np.load(file, mmap_mode="r")) for file in held[0].glob("*.npy"))
    assert sum(forwards) == segments
    assert segments > 48  # files


def test_what_is_done_is_not_done_again_and_what_is_not_is(tasks, save, tmp_path, monkeypatch):
    path = save()
    worked = []
    parts = {
        part: (lambda *args, part=part, work=work: worked.append(part) or work(*args), names)
        for part, (work, names) in run_module.PARTS.items()
    }
    monkeypatch.setattr(run_module, "PARTS", parts)
    wanted = {"parts": ["probe", "few"], "probes": ["linear"]}

    def go(**more):
        worked.clear()
        done = Benchmark(parse([path]), _options(["tone", "height"], **wanted | more), tmp_path / "out").run()
        assert done.failures == {}
        return sorted(worked), {key: [each.sampled.value for each in one.entries] for key, one in done.results.items()}

    first, numbers = go()
    assert first == ["few", "few", "probe", "probe"]
    assert go() == ([], numbers)
    (tmp_path / "out" / "steps" / "few" / "tone" / "ours-0.npz").write_bytes(b"cut off")
    assert go() == (["few"], numbers)
    assert go(shares=[0.5, 1.0])[0] == ["few", "few"]
    save(seed=2)  # other weights under the same name
    assert go()[0] == first


def test_a_task_that_fails_is_reported_and_does_not_stop_the_rest(tasks, save, command, tmp_path):
    out = tmp_path / "out"
    arguments = [save(), "--tasks=[gtzan,tone]", "--task_kwargs.gtzan.root=nowhere", f"--out={out}", *SHORT]
    status, said = command(*arguments, "--parts=[probe]")
    assert status == 1
    assert "gtzan failed, and the rest goes on" in said
    found = json.loads((out / "results.json").read_text())
    assert list(found["failures"]) == ["gtzan"]
    assert "nowhere" in found["failures"]["gtzan"]
    assert {row["task"] for row in found["results"]} == {"tone"}
    assert "## Failed" in (out / "report.md").read_text()


def test_a_step_with_a_bug_keeps_its_traceback_in_a_file(tasks, save, tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("in the middle")

    monkeypatch.setitem(run_module.PARTS, "few", (broken, ()))
    done = Benchmark(parse([save()]), _options(["tone"], parts=["few", "neighbours"]), tmp_path / "out").run()
    assert list(done.failures) == ["few/tone/ours-0"]
    assert "ZeroDivisionError" in done.failures["few/tone/ours-0"]
    assert "in broken" in (tmp_path / "out" / "failures.txt").read_text()
    assert ("neighbours", "neighbours/tone/ours-0") in done.results


def test_broken_test_files_are_named_and_counted(tones, register, save, tmp_path):
    root, path, split = tones
    shutil.copytree(root, tmp_path / "tones")
    (tmp_path / "tones" / "test" / "03.wav").write_bytes(b"nothing")
    number = np.array([int(name.split("/")[1][:2]) for name in path])
    register(Table.build(tmp_path / "tones", path, split, np.eye(3)[number % 3]), TONE)
    options = _options(["tone"], parts=["neighbours", "robustness"], corruptions=["gain"], severities=[5.0])
    done = Benchmark(parse([save()]), options, tmp_path / "out").run()
    assert done.failures == {}
    assert [name.rpartition("/")[2] for name in done.tasks["tone"]["broken"]] == ["03.wav"]


def test_test_files_that_an_encoder_was_trained_on_are_said(tasks, save, tones, tmp_path, caplog):
    path = save()
    root = tones[0]
    (tmp_path / "ours" / "split.csv").write_text("corpus,path,use\nfolder,test/00.wav,unlabelled\n")
    (tmp_path / "ours" / "data.json").write_text(json.dumps({"roots": {"folder": str(root)}}))
    done = Benchmark(parse([path]), _options(["tone"], parts=["neighbours"]), tmp_path / "out").run()
    assert done.encoders["ours 0"]["seen"] == {"tone": 1}
    assert "not one of unseen music" in caplog.text


def test_runs_of_a_method_are_averaged(tasks, save, command, tmp_path):
    one, two = save("a", 1), save("b", 2)
    for name, given in (("together", f"m={one},{two}"), ("one", one), ("two", two)):
        status, said = command(
            given, "--tasks=[tone]", f"--out={tmp_path / name}", *SHORT, "--parts=[probe]", "--probes=[linear]"
        )
        assert status == 0, said
    values = {}
    for name in ("together", "one", "two"):
        rows = pd.read_csv(tmp_path / name / "results.csv")
        values[name] = rows[(rows.part == "probe") & rows.main & (rows.protocol == "embedding")].iloc[0]
    assert values["together"].value == pytest.approx((values["one"].value + values["two"].value) / 2)
    assert values["together"].repeats == 2
    wanted = np.std([values["one"].value, values["two"].value], ddof=1)
    assert values["together"].deviation == pytest.approx(wanted)


def test_few_labels_are_those_that_pretraining_would_take(tasks, tmp_path):
    from semisupcon.downstream.datamodule import TaskDataModule
    from semisupcon.evaluation.cases import Case, How

    case = Case("tone", {}, How(torch.device("cpu"), 0))
    for share in (0.1, 0.25, 0.5):
        data = TaskDataModule("tone", supervised_data_p=share, split_seed=3, num_workers=0)
        wanted = {data.pools.short(row)[1] for row in data.pools.labelled.tolist()}
        assert case.taken(share, 3) == wanted
    assert case.taken(0.25, 3) < case.taken(0.5, 3)
    assert case.taken(0.25, 3) != case.taken(0.25, 4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Nothing to evaluate"),
        (("nowhere.ckpt",), "no such checkpoint"),
        (("--taks=[tone]",), "tasks"),
        (("--parts=[probes]",), "probes"),
        (("--corruptions=[gian]",), "gain"),
        (("--shares=[0]",), "between 0 and 1"),
        (("--severities=[6]",), "up to 5"),
        (("--decays=[0]",), "no optimum"),
        (("--tasks=[]",), "empty"),
        (("--tasks=[tone,tone]",), "twice"),
        (("--task_kwargs.gtzan.root=x",), "not among the tasks"),
        (("--draws=2",), "at least 20"),
    ],
)
def test_what_cannot_be_meant_is_said_on_one_screen(save, command, tasks, tmp_path, arguments, said):
    encoders = [] if arguments in ((), ("nowhere.ckpt",)) else [save()]
    given = arguments if any(each.startswith("--tasks") for each in arguments) else (*arguments, "--tasks=[tone]")
    status, text = command(*encoders, *given, f"--out={tmp_path / 'out'}")
    assert status == 2
    assert said in text
    assert "Traceback" not in text
    assert len(text.strip().splitlines()) < 12


def test_fine_tuning_on_few_labels(tasks, save, tmp_path):
    options = _options(
        ["tone"], parts=["probe", "finetune"], probes=["linear"], shares=[0.5, 1.0], finetune=["--trainer.max_epochs=1"]
    )
    subjects = parse([save()], untrained=1)
    done = Benchmark(subjects, options, tmp_path / "out").run()
    assert done.failures == {}
    found = [each.about for result in done.results.values() for each in result.entries if each.about.part == "finetune"]
    assert {(each.subject, each.share, each.draw) for each in found} == {
        (name, share, draw) for name in ("untrained", "ours") for share, draw in ((0.5, 0), (0.5, 1), (1.0, 0))
    }
    assert {each.metric for each in found} == {"accuracy", "macro_f1"}
    run = tmp_path / "out" / "steps" / "finetune" / "tone" / "ours-0-0.5-1-0"
    split = pd.read_csv(run / "split.csv")
    assert (split.use == "labelled").sum() == 12
    said = json.loads((run / "metrics.json").read_text())
    [value] = [
        each.sampled.value
        for each in done.results["finetune", "finetune/tone/ours-0-0.5-1-0"].entries
        if each.about.metric == "accuracy"
    ]
    assert value == pytest.approx(said["test"]["accuracy"]["value"], abs=1e-12)


@pytest.fixture
def copies(tones, tmp_path, register):
    """A function that copies the files to a folder and makes them a task of a name, with labels turned by ``turn``."""

    def copy(name, folder, turn=0, without=()):
        root, path, split = tones
        shutil.copytree(root, tmp_path / folder, dirs_exist_ok=True)
        number = np.array([int(each.split("/")[1][:2]) + turn for each in path])
        rows = [row for row, part in enumerate(split) if part not in without]
        paths, splits = [path[row] for row in rows], [split[row] for row in rows]
        table = Table.build(tmp_path / folder, paths, splits, np.eye(3)[number[rows] % 3])
        register(table, Task(name, "multiclass", TONE.classes))
        return tmp_path / folder

    return copy


def _numbers(done, part, subject="ours"):
    return [
        each.sampled.value
        for (which, _), result in done.results.items()
        for each in result.entries
        if which == part and each.about.subject == subject
    ]


def test_files_that_have_changed_are_heard_again(copies, save, tmp_path, write_wav):
    root = copies("changing", "changing")
    options = _options(["changing"], parts=["neighbours"])
    first = Benchmark(parse([save()]), options, tmp_path / "out").run()
    for number in range(12):
        write_wav(root / f"test/{number:02d}.wav", 0.1 * np.random.default_rng(number).standard_normal(600))
    again = Benchmark(parse([save()]), options, tmp_path / "out").run()
    fresh = Benchmark(parse([save()]), options, tmp_path / "fresh").run()
    assert _numbers(again, "neighbours") == _numbers(fresh, "neighbours") != _numbers(first, "neighbours")


def test_what_labels_mean_is_part_of_what_a_number_depends_on(tones, register, save, tmp_path):
    root, path, split = tones
    labels = np.eye(3)[np.array([int(each.split("/")[1][:2]) for each in path]) % 3]
    for kind, metric in (("multiclass", "accuracy"), ("multilabel", "pr_auc")):
        register(Table.build(root, path, split, labels), Task("either", kind, TONE.classes))
        done = Benchmark(parse([save()]), _options(["either"], parts=["neighbours"]), tmp_path / "out").run()
        assert metric in {each.about.metric for each in done.results["neighbours", "neighbours/either/ours-0"].entries}


def test_encoders_that_swap_their_names_take_their_robustness_along(tasks, save, tmp_path):
    one, two = save("a", 1), save("b", 2)
    options = _options(["tone"], parts=["robustness"], corruptions=["gain"], severities=[5.0])
    first = Benchmark(parse([f"a={one}", f"b={two}"]), options, tmp_path / "out").run()
    then = Benchmark(parse([f"b={one}", f"a={two}"]), options, tmp_path / "out").run()
    assert _numbers(first, "robustness", "a") == _numbers(then, "robustness", "b")
    assert _numbers(first, "robustness", "b") == _numbers(then, "robustness", "a")


def test_corpora_in_folders_of_the_same_name_are_kept_apart(copies, save, tmp_path):
    copies("here", "here/audio")
    copies("there", "there/audio", turn=1)
    options = _options(["here", "there"], parts=["shape", "robustness"], corruptions=["gain"], severities=[5.0])
    done = Benchmark(parse([save()]), options, tmp_path / "out").run()
    assert done.failures == {}
    shapes = [result.notes["tasks"] for (part, _), result in done.results.items() if part == "shape"]
    assert shapes == [["here"], ["there"]]
    assert len(_numbers(done, "robustness")) == 2 * 2 * 2  # tasks, severities, metrics


def test_an_encoder_that_has_diverged_does_not_take_the_others_along(tasks, save, tiny_encoder, tmp_path):
    good, bad = save("good", 1), save("bad", 2)
    content = torch.load(bad)
    content["state_dict"]["encoder.layers.0.0.weight"].fill_(float("nan"))
    torch.save(content, bad)
    options = _options(["tone"], parts=["robustness"], corruptions=["gain"], severities=[5.0])
    done = Benchmark(parse([good, bad]), options, tmp_path / "out").run()
    assert len(_numbers(done, "robustness", "good")) == 2 * 2
    assert _numbers(done, "robustness", "bad") == []
    assert sum("robustness" in name for name in done.failures) == 1


def test_runs_that_failed_are_marked_where_others_are_averaged(tasks, save, command, tmp_path):
    good, bad = save("good", 1), save("bad", 2)
    content = torch.load(bad)
    content["state_dict"]["encoder.layers.0.0.weight"].fill_(float("nan"))
    torch.save(content, bad)
    out = tmp_path / "out"
    status, _ = command(f"m={good},{bad}", f"o={good}", "--tasks=[tone]", f"--out={out}", *SHORT, "--parts=[probe]")
    assert status == 1
    assert "(1 of 2)" in (out / "report.md").read_text()


def test_broken_files_are_in_a_report_that_is_made_again_too(copies, save, tmp_path):
    (copies("hurt", "hurt") / "test" / "03.wav").write_bytes(b"nothing")
    for _ in range(2):
        done = Benchmark(parse([save()]), _options(["hurt"], parts=["neighbours"]), tmp_path / "out").run()
        assert [name.rpartition("/")[2] for name in done.tasks["hurt"]["broken"]] == ["03.wav"]


def test_a_task_without_validation_clips_is_evaluated(copies, save, tmp_path):
    copies("bare", "bare", without=("val",))
    parts = ["probe", "few", "zero_shot", "neighbours", "retrieval"]
    done = Benchmark(parse([save()]), _options(["bare"], parts=parts), tmp_path / "out").run()
    assert done.failures == {}
    assert done.results["neighbours", "neighbours/bare/ours-0"].notes["k"] == {"embedding": 20, "projection": 20}


def test_numbers_of_other_clips_have_no_interval_of_their_difference():
    draws = Sampled(0.5, np.linspace(0, 1, 40))
    about = About("a", 0, "t", "probe", "linear", metric="accuracy")
    one, other = (Estimate.of([Entry(about, draws, clips)]) for clips in ("these", "those"))
    assert np.isnan((one - other).interval.low)
    assert (one - one).interval.low == 0
