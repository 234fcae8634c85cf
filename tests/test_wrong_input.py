"""Whatever is wrong with the input: one screen with what was found and what to do, exit status 2, nothing written."""

# ruff: noqa: F401, F811 (fixtures are imported)

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from commandline import (
    FINETUNE,
    PROBE,
    ROOT,
    SMALL,
    SMALL_FINE,
    SMSL,
    SSL,
    command,
    genres,
    music,
    own_logging,
    tone,
    trained,
    without,
    written,
)

PRE, FINE = "pretrain.py", "finetune.py"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folders and files that are wrong in one way each."""
    folder = tmp_path_factory.mktemp("wrong")
    music(folder / "music")
    genres(folder / "gtzan")
    (folder / "empty").mkdir()
    (folder / "texts").mkdir()
    (folder / "texts" / "readme.txt").write_text("no audio here")
    (folder / "broken.ckpt").write_bytes(b"PK\x03\x04 and then nothing")
    torch.save({"epoch": 3}, folder / "weightless.ckpt")
    torch.save({"state_dict": {"encoder.x": torch.zeros(1)}}, folder / "foreign.ckpt")
    (folder / "open.yaml").write_text("data:\n  aug_list: [gain\n  batch_size: 3\n")
    (folder / "list.yaml").write_text("- data\n- model\n")
    (folder / "misspelt.yaml").write_text("data:\n  batch_sise: 3\n")
    (folder / "misspelt_deep.yaml").write_text(
        "model:\n  encoder:\n    class_path: semisupcon.encoders.SampleCNN\n    init_args: {chanels: [3]}\n"
    )
    (folder / "misspelt_top.yaml").write_text("batch_sise: 3\n")
    (folder / "wrong_type.yaml").write_text("data:\n  batch_size: many\n")
    untagged = folder / "mtat"
    for name in ("0/a-b-1-c-0-29.mp3", "d/e-f-1-g-0-29.mp3"):
        (untagged / name).parent.mkdir(parents=True)
        (untagged / name).write_bytes(b"")
    (untagged / "annotations_final.csv").write_text(
        '"clip_id"\t"rock"\t"mp3_path"\n"1"\t"0"\t"0/a-b-1-c-0-29.mp3"\n"2"\t"1"\t"d/e-f-1-g-0-29.mp3"\n'
    )
    return folder


# id: (script, what is given behind a config and data that work, what the screen must say)
WRONG = {
    "no data": (PRE, ["--data.data_dir=None"], ["--data.data_dir=FOLDER", "--data.sl_task=NAME", "nsynth_pitch"]),
    "unknown task": (PRE, ["--data.sl_task=synth_instrumnt"], ["Did you mean synth_instrument?", "mtat_top50"]),
    "misspelt in data": (PRE, ["--data.foo=1"], ["--data.foo=1: there is no such option", "target_sr"]),
    "misspelt in data, near": (PRE, ["--data.batch_sise=3"], ["Did you mean --data.batch_size"]),
    "only the beginning of a name": (
        PRE,
        ["--data.num_work=1"],
        ["no such option", "Did you mean --data.num_workers?"],
    ),
    "misspelt, with a space": (PRE, ["--data.batch_sise", "3"], ["Did you mean --data.batch_size"]),
    "misspelt in the encoder": (
        PRE,
        ["--model.encoder.init_args.chanels=[3]"],
        ["--model.encoder.init_args.chanels=[3]: SampleCNN takes no chanels", "Did you mean channels?", "stem"],
    ),
    "misspelt in the trainer": (PRE, ["--trainer.max_stepz=3"], ["Did you mean --trainer.max_steps"]),
    "misspelt in the optimizer": (
        PRE,
        ["--model.optimizer=SGD", "--model.optimizer.momentun=1"],
        ["SGD takes no momentun. Did you mean momentum?"],
    ),
    "stray optimizer": (PRE, ["--optimizer.lr=0.1"], ["no such option", "Did you mean --model.optimizer.lr?"]),
    "misspelt at the top": (PRE, ["--batch_sise=3"], ["Did you mean --data.batch_size?"]),
    "misspelt in sl_kwargs": (
        PRE,
        ["--data.sl_task=gtzan", "--data.sl_kwargs.rot=x"],
        ["--data.sl_kwargs.rot", "Did you mean root?"],
    ),
    "misspelt in a config": (
        PRE,
        ["--config", "{place}/misspelt.yaml"],
        ["data.batch_sise=3 (in {place}/misspelt.yaml)", "Did you mean --data.batch_size"],
    ),
    "misspelt deep in a config": (
        PRE,
        ["--config", "{place}/misspelt_deep.yaml"],
        ["misspelt_deep.yaml): SampleCNN takes no chanels. Did you mean channels?"],
    ),
    "misspelt at the top of a config": (PRE, ["--config", "{place}/misspelt_top.yaml"], ["Did you mean --data.batch"]),
    "an argument without dashes": (PRE, ["gtzan"], ["gtzan: not an option", "two dashes"]),
    "wrong type": (PRE, ["--data.batch_size=many"], ["--data.batch_size=many: expected a whole number"]),
    "wrong type in a config": (
        PRE,
        ["--config={place}/wrong_type.yaml", "--data.batch_size=3"],
        ["data.batch_size=many (in {place}/wrong_type.yaml): expected a whole number"],
    ),
    "none where there must be one": (PRE, ["--data.batch_size=None"], ["--data.batch_size=None: expected a whole"]),
    "wrong type of a number": (PRE, ["--model.optimizer.lr=fast"], ["--model.optimizer.lr=fast: expected a number"]),
    "wrong type deep": (PRE, ["--model.encoder.init_args.channels=wide"], ["channels=wide: expected a list"]),
    "wrong choice": (PRE, ["--data.view_layout=adjcent"], ["expected one of adjacent, independent"]),
    "wrong precision": (PRE, ["--trainer.precision=17"], ["--trainer.precision=17: expected one of 64, 32, 16"]),
    "a missing option of a class": (PRE, ["--model.scheduler=StepLR"], ["Not given: --model.scheduler.step_size"]),
    "ckpt_path is a file": (PRE, ["--ckpt_path={place}/broken.ckpt"], ["is a file", "--resume_from_ckpt="]),
    "ckpt_path would be a file": (PRE, ["--ckpt_path=x.ckpt"], ["looks like a checkpoint file", "--resume_from_ckpt="]),
    "ckpt_path cannot be made": (PRE, ["--ckpt_path=/proc/runs"], ["cannot be made", "Give another --ckpt_path"]),
    "run_name leads elsewhere": (PRE, ["--run_name=../x"], ["--run_name=../x", "--run_name=first"]),
    "no such folder": (PRE, ["--data.data_dir={place}/nowhere"], ["{place}/nowhere", "there is no such folder"]),
    "an empty folder": (PRE, ["--data.data_dir={place}/empty"], ["no audio file", "no file at all", ".flac"]),
    "a folder of other things": (PRE, ["--data.data_dir={place}/texts"], ["no audio file", "1 .txt"]),
    "a corpus of another layout": (
        PRE,
        ["--data.sl_task=gtzan", "--data.sl_kwargs.root={place}/texts"],
        ["no folder genres/", "found: readme.txt", "--data.sl_kwargs.root"],
    ),
    "a corpus that is not there": (
        PRE,
        ["--data.sl_task=nsynth_pitch", "--data.sl_kwargs.root={place}/nowhere"],
        ["nsynth-train/", "{place}/nowhere", "--data.sl_kwargs.root"],
    ),
    "b_s without a task": (PRE, ["--data.intrabatch_supervised_p=0.5"], ["no sl_task", "--data.sl_task"]),
    "fully supervised without a task": (PRE, ["--data.fully_supervised=true"], ["fully_supervised=true", "no sl_task"]),
    "b_s without labels": (
        PRE,
        ["--data.sl_task=mtat_all", "--data.sl_kwargs.root={place}/mtat", "--data.intrabatch_supervised_p=0.5"],
        ["intrabatch_supervised_p > 0, but no training clip of mtat_all", "has a label"],
    ),
    "p_s is no share": (PRE, ["--data.sl_task=gtzan", "--data.supervised_data_p=10"], ["between 0 and 1"]),
    "resume from nothing": (PRE, ["--resume_from_ckpt=nowhere.ckpt"], ["nowhere.ckpt: no such checkpoint file"]),
    "resume from a folder": (PRE, ["--resume_from_ckpt={place}"], ["It is a folder", "broken.ckpt"]),
    "resume from a broken file": (PRE, ["--resume_from_ckpt={place}/broken.ckpt"], ["cannot be read as a checkpoint"]),
    "resume from another file": (PRE, ["--resume_from_ckpt={place}/weightless.ckpt"], ["no checkpoint of a training"]),
    "resume from weights": (PRE, ["--resume_from_ckpt={place}/foreign.ckpt"], ["not the state of training"]),
    "resume with another encoder": (
        PRE,
        ["--resume_from_ckpt={trained}/last.ckpt", "--model.encoder.init_args.out=6"],
        ["do not fit", "projection.0.weight: (8, 8) in it, (8, 6) here", "--config {trained}/config.yaml"],
    ),
    "no such config": (PRE, ["--config", "config/pretrain_smls.yaml"], ["no such file", f"Did you mean {SMSL}?"]),
    "a folder as config": (PRE, ["--config", "config"], ["that is a folder"]),
    "a config that is no YAML": (PRE, ["--config={place}/open.yaml"], ["open.yaml, line 3", "not YAML"]),
    "a config that is a list": (PRE, ["--config={place}/list.yaml"], ["list.yaml: found a list"]),
    "an encoder that does not exist": (
        PRE,
        ["--model.encoder.class_path=semisupcon.encoders.SampleCMM"],
        ["cannot be imported", "Did you mean semisupcon.encoders.SampleCNN?"],
    ),
    "an encoder of no module": (PRE, ["--model.encoder.class_path=nowhere.Nothing"], ["No module named 'nowhere'"]),
    "no encoder at all": (PRE, ["--model.encoder.class_path=torch.nn.Linear"], ["torch.nn.Linear is no Encoder"]),
    "a number for an encoder": (PRE, ["--model.encoder=5"], ["--model.encoder=5: expected a class_path"]),
    "an optimizer that does not exist": (
        PRE,
        ["--model.optimizer.class_path=torch.optim.Adamm"],
        ["Did you mean torch.optim.Adam?"],
    ),
    "a logger that does not exist": (PRE, ["--trainer.logger=lightning.Nope"], ["--trainer.logger=lightning.Nope"]),
    "unknown augmentation": (PRE, ["--data.aug_list=[gian]"], ["Did you mean gain?", "polarity_inversion"]),
    "one augmentation without a list": (PRE, ["--data.aug_list=gain"], ["--data.aug_list=gain: expected a list"]),
    "severity out of range": (PRE, ["--data.aug_severity=7"], ["--data.aug_severity=7", "from 0 (off) to 5"]),
    "a signal's threshold": (
        PRE,
        ["--model.signal=SharedLabels", "--model.signal.threshold=0"],
        ["--model.signal (SharedLabels): threshold must be at least 1, not 0"],
    ),
    "a temperature of 0": (
        PRE,
        ["--model.similarity.init_args.temperature=0"],
        ["--model.similarity (Cosine): temperature must be above 0"],
    ),
    "a learning rate below 0": (PRE, ["--model.optimizer.lr=-1"], ["--model.optimizer (Adam): Invalid learning rate"]),
    "a user's encoder refuses": (
        PRE,
        ["--model.encoder=commandline.Picky", "--model.encoder.width=3"],
        ["--model.encoder (Picky): width must be even, not 3", "commandline.py, line"],
    ),
    "an encoder of another rate": (
        PRE,
        ["--model.encoder=commandline.Plain", "--data.target_sr=16000"],
        ["8000 Hz", "--data.target_sr=8000"],
    ),
    "two rates": (
        PRE,
        ["--model.encoder.init_args.sample_rate=16000"],
        ["--model.encoder.init_args.sample_rate=16000", "follows --data.target_sr=8000"],
    ),
    "steps below 0": (PRE, ["--trainer.max_steps=-3"], ["--trainer: `max_steps`", "-3"]),
    "no such accelerator": (PRE, ["--trainer.accelerator=abacus"], ["abacus", "cpu"]),
    "a seed of the data alone": (PRE, ["--data.seed=3"], ["--data.seed=3", "--seed_everything"]),
    "a seed of the data in a config": (PRE, ["--config={{data: {{seed: 3}}}}"], ["data.seed=3", "--seed_everything"]),
    "a seed below 0": (PRE, ["--seed_everything=-5"], ["--seed_everything=-5: 0 to 4294967295"]),
    "a checkpoint every 0 steps": (PRE, ["--checkpoint.every_n_steps=0"], ["at least 1"]),
    "workers below 0": (PRE, ["--data.num_workers=-1"], ["--data.num_workers=-1: at least 0"]),
    "views of length 0": (PRE, ["--data.target_len=0"], ["--data.target_len=0", "such as 2.7"]),
    "one view": (PRE, ["--data.views=1"], ["--data.views=1: at least 2"]),
    "validation on everything": (PRE, ["--data.val_split=1.5"], ["--data.val_split=1.5"]),
    "probe of nothing": (FINE, ["--model.checkpoint=nowhere.ckpt"], ["nowhere.ckpt: no such checkpoint file"]),
    "probe of a broken file": (FINE, ["--model.checkpoint={place}/broken.ckpt"], ["cannot be read as a checkpoint"]),
    "probe of another's weights": (FINE, ["--model.checkpoint={place}/foreign.ckpt"], ["does not say what encoder"]),
    "probe of another encoder": (
        FINE,
        ["--model.checkpoint={trained}/last.ckpt", "--model.encoder=SampleCNN", "--model.encoder.out=6"],
        ["holds another encoder", "out: 8 in the checkpoint, 6 given"],
    ),
    "probe at another rate": (
        FINE,
        ["--model.checkpoint={trained}/last.ckpt", "--data.target_sr=16000"],
        ["--data.target_sr=16000: the encoder takes 8000 Hz"],
    ),
    "probe resumed from pretraining": (
        FINE,
        ["--model.checkpoint={trained}/last.ckpt", "--resume_from_ckpt={trained}/last.ckpt"],
        ["no head", "--model.checkpoint="],
    ),
    "misspelt in the probe": (FINE, ["--model.chekpoint=x.ckpt"], ["Probe takes no chekpoint", "mean checkpoint?"]),
    "an option of pretraining": (FINE, ["--data.ssl_task=gtzan"], ["no such option", "Did you mean --data.sl_task"]),
    "no such head": (FINE, ["--model.head=liner"], ["--model.head=liner: expected one of linear, mlp"]),
    "probe of an unknown task": (FINE, ["--data.sl_task=gtzna"], ["Did you mean gtzan?"]),
    "probe without a task": (FINE, ["--data.sl_task=None"], ["--data.sl_task=NAME"]),
    "probe without labels": (FINE, ["--data.supervised_data_p=0"], ["--data.supervised_data_p=0"]),
    "no such method": (FINE, ["--model.class_path=semisupcon.downstream.probe.Prob"], ["Did you mean", "Probe?"]),
}


@pytest.fixture(params=WRONG)
def wrong(request, place, trained, tmp_path):
    script, given, wanted = WRONG[request.param]
    names = {"place": place, "trained": trained}
    given, wanted = ([text.format(**names) if "{" in text else text for text in texts] for texts in (given, wanted))
    before = ["--config", SSL, f"--data.data_dir={place / 'music'}", "--data.ssl_task=None", *SMALL]
    if script == FINE:
        task = [f"--data.sl_kwargs.root={place / 'gtzan'}", f"--data.sl_kwargs.split_file={place / 'gtzan' / 'lists'}"]
        before = ["--config", PROBE, "--data.sl_task=gtzan", *task, *SMALL_FINE]
    if any(arg.startswith("--model.encoder=commandline") for arg in given):
        before = [arg for arg in before if not arg.startswith("--model.encoder")]
    return script, [*before, f"--ckpt_path={tmp_path / 'runs'}", *given], wanted


def test_it_is_one_screen_and_nothing_is_written(wrong, command, tmp_path):
    script, args, wanted = wrong

    status, text = command(script, *args)

    assert status == 2
    assert text.count("error: ") == 1
    for part in wanted:
        assert part in text
    assert "Traceback" not in text
    assert "Subtypes" not in text, "the parser's own words"
    assert "<class" not in text
    assert written(text) <= 25
    assert list(tmp_path.iterdir()) == []
    assert not (ROOT / "x.ckpt").exists()


@pytest.mark.parametrize(
    ("script", "missing", "config"), [(PRE, "--model.encoder", SMSL), (FINE, "--model", PROBE)], ids=[PRE, FINE]
)
def test_without_any_option_a_config_is_named(script, missing, config, command):
    status, text = command(script)

    assert status == 2
    assert f"Not given: {missing}" in text
    assert f"--config {config}" in text


def test_a_run_folder_is_used_once(command, trained):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}

    status, text = command(
        *(PRE, "--config", SSL, *SMALL, f"--data.data_dir={trained.parents[1] / 'music'}"),
        *(f"--ckpt_path={trained.parent}", f"--run_name={trained.name}"),
    )

    assert status == 2
    assert "in use already" in text
    assert f"--resume_from_ckpt={trained / 'last.ckpt'}" in text
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


def test_a_crop_longer_than_every_file_is_padded_with_a_warning(command, place, tmp_path):
    tone(tmp_path / "music" / "short.wav", seconds=0.3)
    tone(tmp_path / "music" / "long.wav", seconds=0.625)
    args = ["--config", SSL, f"--data.data_dir={tmp_path / 'music'}", *without("data.target_len")]

    status, text = command(PRE, *args, "--data.target_len=2", "--data.val_split=0", f"--ckpt_path={tmp_path}")

    assert status == 0
    assert "target_len=2 s is longer than every file" in text
    assert "0.625 s" in text


def test_a_bug_keeps_its_traceback(command, place, tmp_path):
    args = ["--config", SSL, f"--data.data_dir={place / 'music'}", *without("model.encoder")]

    with pytest.raises(AttributeError, match="nothing"):
        command(PRE, *args, "--model.encoder=commandline.Buggy", f"--ckpt_path={tmp_path / 'runs'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "args", "said"),
    [
        (PRE, ["--config", SSL, "--data.sl_task=gtzna"], "Did you mean gtzan?"),
        (FINE, ["--config", PROBE, "--model.checkpoint=nowhere.ckpt"], "no such checkpoint file"),
        pytest.param(PRE, ["--config", SSL, "--trainer.max_stepz=3"], "--trainer.max_steps", marks=pytest.mark.slow),
        pytest.param(PRE, ["--config", SSL, "--data.data_dir=nowhere"], "no such folder", marks=pytest.mark.slow),
        pytest.param(FINE, ["--config", FINETUNE, "--model.head=liner"], "one of linear, mlp", marks=pytest.mark.slow),
    ],
    ids=["task", "checkpoint", "option", "folder", "head"],
)
def test_the_script_itself_ends_with_status_2(script, args, said, tmp_path):
    command = [sys.executable, script, *args, f"--ckpt_path={tmp_path / 'runs'}"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.lstrip().startswith("error: "), "nothing but the error"
    assert written(done.stderr) <= 25
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_without_a_traceback_and_with_status_130(place, tmp_path):
    args = ["--config", SSL, f"--data.data_dir={place / 'music'}", *without("trainer.max_steps")]
    args += ["--trainer.max_steps=-1", f"--ckpt_path={tmp_path}", "--run_name=run"]
    process = subprocess.Popen([sys.executable, PRE, *args], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "run" / "metrics.csv"
    deadline = time.monotonic() + 60
    while not metrics.exists() and time.monotonic() < deadline:  # until training has begun
        time.sleep(0.1)

    os.kill(process.pid, signal.SIGINT)
    _, text = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in text
    assert "stopped" in text
    assert metrics.exists()


def test_the_table_of_wrong_input_is_not_vacuous(command, place, tmp_path):
    """The arguments that each case is put behind work."""
    args = ["--config", SSL, f"--data.data_dir={place / 'music'}", "--data.ssl_task=None", *SMALL]

    status, _ = command(PRE, *args, f"--ckpt_path={tmp_path / 'runs'}")

    assert status == 0
    assert len(list(Path(tmp_path / "runs").glob("pretrain-*/last.ckpt"))) == 1
