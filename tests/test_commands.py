"""The whole command line of pretrain.py and finetune.py, in runs of two steps on small files."""

# ruff: noqa: F401, F811 (fixtures are imported)

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from commandline import (
    FINETUNE,
    PROBE,
    RATE,
    ROOT,
    SL,
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
)
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.loggers.logger import DummyLogger

from semisupcon.downstream.cli import Evaluate
from semisupcon.encoders import SampleCNN
from semisupcon.errors import UserError
from semisupcon.running.progress import StepsBar
from semisupcon.training.cli import Pretrain


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    music(folder / "music")
    (folder / "gtzan").mkdir()
    return folder


@pytest.fixture(scope="module")
def labelled(place):
    """The options that name a labelled task."""
    return genres(place / "gtzan")


@pytest.fixture
def pretrain(own_logging, tmp_path, place):
    """Build pretrain.py's objects for some options, self-supervised on the folder; ``fit=True`` trains too."""

    def make(*args, config=SSL, small=SMALL, data=None, fit=False):
        data = [f"--data.data_dir={place / 'music'}"] if data is None else data
        cli = Pretrain(["--config", config, *data, *small, f"--ckpt_path={tmp_path / 'runs'}", *args])
        if fit:
            cli.run_command()
        return cli

    return make


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_of_two_configs_the_later_wins_and_options_win_over_both(pretrain, tmp_path):
    (tmp_path / "delta.yaml").write_text("data: {views: 3, val_split: 0.2}\n")

    cli = pretrain("--config", str(tmp_path / "delta.yaml"), "--data.val_split=0.3")

    assert cli.datamodule.views == 3
    assert cli.datamodule.request.val_split == 0.3
    assert cli.config["data"]["view_layout"] == "adjacent", "what the later config leaves out stays"


def test_the_learning_rate_reaches_the_optimizer(pretrain):
    optimizer = pretrain("--model.optimizer.lr=0.01").model.configure_optimizers()

    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_any_optimizer_and_schedule_by_class_path(pretrain):
    built = pretrain(
        *("--model.optimizer.class_path=torch.optim.SGD", "--model.optimizer.init_args.lr=0.5"),
        *("--model.scheduler.class_path=torch.optim.lr_scheduler.StepLR", "--model.scheduler.init_args.step_size=7"),
    ).model.configure_optimizers()

    assert isinstance(built["optimizer"], torch.optim.SGD)
    assert built["lr_scheduler"]["scheduler"].step_size == 7


def test_a_users_own_encoder_is_trained_and_probed(pretrain, tmp_path, labelled):
    """Plain has no argument for the sample rate, which the command line passes to those that have one."""
    own = ["--model.encoder.class_path=commandline.Plain", "--model.encoder.init_args.width=4"]

    cli = pretrain(*own, small=without("model.encoder"), fit=True)
    probe = Evaluate(
        [
            *("--config", str(ROOT / PROBE), *labelled, *SMALL_FINE),
            *(f"--model.checkpoint={cli.folder / 'last.ckpt'}", f"--ckpt_path={tmp_path / 'runs'}"),
        ]
    )

    assert cli.model.encoder.dim == 4
    assert type(probe.model.encoder).__name__ == "Plain"
    assert torch.equal(probe.model.encoder.layer.weight, cli.model.encoder.layer.weight)


def test_the_rate_and_length_of_the_data_reach_the_encoder(pretrain):
    cli = pretrain("--data.target_sr=16000", "--data.target_len=0.5")
    own = pretrain("--model.encoder=commandline.Rated", "--data.target_sr=4000", small=without("model.encoder"))

    assert cli.model.encoder.sample_rate == 16000
    assert cli.datamodule.length == 8000
    assert own.model.encoder.sample_rate == 4000


def test_augmentations_and_their_severity(pretrain):
    cli = pretrain("--data.aug_list=[gain,delay]", "--data.aug_severity=3")

    names = [type(transform).__name__ for transform in cli.datamodule.augment.transforms]
    assert names == ["Gain", "Delay"]
    assert cli.datamodule.augment.severity == 3


def test_an_augmentation_by_class_path(pretrain):
    gain = "{class_path: semisupcon.augment.Gain, init_args: {p: 0.25}}"

    cli = pretrain(f"--data.aug_list=[{gain}, delay]", fit=True)

    assert [transform.p for transform in cli.datamodule.augment.transforms] == [0.25, 0.6]


def test_presets_and_choices_between_augmentations(pretrain):
    passes = (
        "{class_path: semisupcon.augment.OneOf, init_args: {p: 0.8, transforms: ["
        "{class_path: semisupcon.augment.HighPass, init_args: {cutoff: [200, 1200]}}, "
        "{class_path: semisupcon.augment.LowPass, init_args: {cutoff: [2200, 4000]}}]}}"
    )
    chain = pretrain(f"--data.aug_list=[{passes}, gain]", fit=True).datamodule.chain
    assert [item.cutoff for item in chain.transforms[0].transforms] == [(200, 1200), (2200, 4000)]
    chain = pretrain("--data.aug_list=[clmr]", fit=True).datamodule.chain
    assert chain.p == 1
    assert [type(item).__name__ for item in chain][3:5] == ["Filtering", "Delay"]


@pytest.mark.parametrize("none", [["--data.ssl_task=None"], ["--data.ssl_task", "None"]], ids=["=", "space"])
def test_the_text_none_means_none(pretrain, labelled, none):
    cli = pretrain(*none, config=SMSL, data=labelled)

    assert cli.datamodule.request.ssl_task is None
    assert cli.datamodule.pools.share == 1


def test_a_folder_takes_the_place_of_a_configs_ssl_task(pretrain, place):
    cli = pretrain()

    assert cli.datamodule.request.ssl_task is None
    assert cli.datamodule.request.data_dir == str(place / "music")
    assert len(cli.datamodule.pools.unlabelled) == 18


def test_a_folder_that_is_none_leaves_the_ssl_task(pretrain, labelled, tmp_path):
    (tmp_path / "delta.yaml").write_text("data: {ssl_task: gtzan}\n")
    data = ["--config", str(tmp_path / "delta.yaml"), *(arg.replace("sl_", "ssl_") for arg in labelled[1:])]

    assert pretrain("--data.data_dir=None", data=data).datamodule.request.ssl_task == "gtzan"


def test_p_s_and_b_s(pretrain, labelled):
    cli = pretrain(
        *("--data.ssl_task=gtzan", "--data.supervised_data_p=0.5", "--data.intrabatch_supervised_p=0.25"),
        config=SMSL,
        data=labelled,
    )

    assert len(cli.datamodule.pools.labelled) == 6
    assert len(cli.datamodule.pools.unlabelled) == 6
    assert cli.datamodule.pools.share == 0.25


def test_fully_supervised_leaves_the_folder_out(pretrain, labelled, place):
    data = [*labelled, f"--data.data_dir={place / 'music'}"]

    mixed = pretrain(config=SMSL, data=data).datamodule.pools
    full = pretrain("--data.fully_supervised=true", "--data.intrabatch_supervised_p=None", config=SMSL, data=data)

    assert mixed.share == 0.5
    assert full.datamodule.pools.share == 1
    assert not len(full.datamodule.pools.unlabelled)


def test_sl_kwargs_by_key_or_as_a_mapping(pretrain, place, labelled):
    mapping = json.dumps({"root": str(place / "gtzan"), "split_file": str(place / "gtzan" / "lists")})

    by_key = pretrain("--data.ssl_task=None", config=SMSL, data=labelled)
    at_once = pretrain(
        "--data.ssl_task=None", config=SMSL, data=["--data.sl_task=gtzan", f"--data.sl_kwargs={mapping}"]
    )

    assert by_key.datamodule.request.sl_kwargs == at_once.datamodule.request.sl_kwargs == json.loads(mapping)


def test_the_seed_of_everything_is_the_datas_too(pretrain):
    assert pretrain("--seed_everything=7").datamodule.seed == 7
    drawn = pretrain("--seed_everything=true")
    assert drawn.datamodule.seed == drawn.config["seed_everything"] != 1


@pytest.mark.parametrize(
    ("config", "args", "share"),
    [
        (SSL, [], 0.0),
        (SMSL, ["--data.ssl_task=gtzan", "--data.supervised_data_p=0.5", "--data.intrabatch_supervised_p=0.25"], 0.25),
        (SL, [], 1.0),
    ],
    ids=["ssl", "smsl", "sl"],
)
def test_the_logged_share_of_labelled_clips_is_b_s(pretrain, labelled, config, args, share):
    cli = pretrain(*args, config=config, data=None if config == SSL else labelled, fit=True)

    history = rows(cli.folder / "metrics.csv")
    assert [float(row["train/labelled_share"]) for row in history] == [share, share]
    assert ("train/loss_supervised" in history[0]) == (share > 0)
    assert ("train/loss_self_supervised" in history[0]) == (share < 1)


def test_a_runs_folder_holds_its_whole_story(pretrain, place):
    cli = pretrain("--run_name=story", "--picture.every_n_steps=1", "--checkpoint.every_n_steps=1", fit=True)

    folder = cli.folder
    assert folder.name == "story"
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {
        *("config.yaml", "data.json", "split.csv", "splits/folder.csv", "metrics.csv", "metrics.json"),
        *("last.ckpt", "step-0000001.ckpt", "step-0000002.ckpt"),
        *("pictures/similarity-0000001.png", "pictures/similarity-0000002.png"),
    }
    about = json.loads((folder / "data.json").read_text())
    assert about["split_sha256"] == hashlib.sha256((folder / "split.csv").read_bytes()).hexdigest()
    [(name, saved)] = about["splits"].items()
    assert (name, saved["file"]) == ("folder", "splits/folder.csv")
    assert saved["sha256"] == hashlib.sha256((folder / saved["file"]).read_bytes()).hexdigest()
    split = rows(folder / "split.csv")
    assert sorted(row["path"] for row in split) == sorted(path.name for path in (place / "music").iterdir())
    assert [row["use"] for row in split].count("val") == about["val"] == 2
    ended = json.loads((folder / "metrics.json").read_text())
    assert (ended["steps"], ended["bad_files"]) == (2, 0)
    assert ended["train"]["loss"] == pytest.approx(float(rows(folder / "metrics.csv")[-1]["train/loss"]))


def test_the_split_of_a_run_is_taken_back(pretrain, place):
    first = pretrain("--run_name=splitter", fit=True)
    file = first.folder / "splits/folder.csv"
    file.write_text(file.read_text().replace(",val", ",test"))  # another split than val_split would make
    again = pretrain(f"--data.ssl_kwargs.split_file={file}", "--run_name=taker", fit=True)

    assert (again.folder / "splits/folder.csv").read_bytes() == file.read_bytes()
    assert len(again.datamodule.pools.val) == 0
    assert len(again.datamodule.pools.unlabelled) == len(first.datamodule.pools.unlabelled)


def test_the_config_of_a_run_is_a_config(pretrain):
    first = pretrain("--run_name=first", "--seed_everything=5", "--model.optimizer.lr=0.02", fit=True)

    again = pretrain(config=str(first.folder / "config.yaml"), data=[], small=[], fit=True)

    assert again.folder != first.folder
    first_config, again_config = (yaml.safe_load((f / "config.yaml").read_text()) for f in (first.folder, again.folder))
    assert again_config == first_config
    assert rows(again.folder / "metrics.csv") == rows(first.folder / "metrics.csv"), "to the last digit"


def test_a_run_is_resumed_in_its_own_folder(pretrain):
    first = pretrain(fit=True)

    resumed = pretrain(f"--resume_from_ckpt={first.folder / 'last.ckpt'}", "--trainer.max_steps=4", fit=True)

    assert resumed.folder == first.folder
    assert [row["step"] for row in rows(first.folder / "metrics.csv")] == ["0", "1", "2", "3"]
    assert (first.folder / "config-2.yaml").exists()


def test_a_resumed_run_keeps_the_record_of_its_data(pretrain, place):
    first = pretrain(fit=True)
    about = first.folder / "data.json"
    written = about.read_text()
    times = [path.stat().st_mtime_ns for path in (about, first.folder / "split.csv")]

    pretrain(f"--resume_from_ckpt={first.folder / 'last.ckpt'}", "--trainer.max_steps=4", fit=True)

    assert [path.stat().st_mtime_ns for path in (about, first.folder / "split.csv")] == times
    held = json.loads(written)
    assert held["roots"] == {"folder": str(place / "music")}
    assert (held["sl_task"], held["ssl_task"], held["data_dir"]) == (None, None, str(place / "music"))


def test_other_data_than_the_run_began_with_are_refused(pretrain, tmp_path):
    """Also files that came or went; a checkpoint from before these were kept is taken as it is."""
    data = [f"--data.data_dir={music(tmp_path / 'music', 8)}"]
    first = pretrain(data=data, fit=True)
    last = first.folder / "last.ckpt"
    before = {path.name: path.read_bytes() for path in first.folder.iterdir() if path.is_file()}

    with pytest.raises(
        UserError, match=r"batch_size: 4 there, 3 here\n  length: 1600 there.*\nGo on with .*config.yaml"
    ):
        pretrain(f"--resume_from_ckpt={last}", "--data.batch_size=3", "--data.target_len=0.1", data=data)
    with pytest.raises(UserError, match="seed: 0 there, 1 here"):
        pretrain(f"--resume_from_ckpt={last}", "--run_name=other", "--seed_everything=1", data=data)
    tone(tmp_path / "music" / "new.wav")
    with pytest.raises(UserError, match=r"unlabelled: 7 there, 8 here\n  split_sha256"):
        pretrain(f"--resume_from_ckpt={last}", data=data)
    assert {path.name: path.read_bytes() for path in first.folder.iterdir() if path.is_file()} == before, (
        "nothing is written"
    )
    assert not (tmp_path / "runs" / "other").exists()

    old = torch.load(last, weights_only=True)
    old["MixedDataModule"] = {"position": old["MixedDataModule"]["position"]}
    torch.save(old, last)
    resumed = pretrain(f"--resume_from_ckpt={last}", "--trainer.max_steps=3", data=data, fit=True)
    assert resumed.trainer.global_step == 3
    assert json.loads((first.folder / "data-before.json").read_text())["unlabelled"] == 7
    assert json.loads((first.folder / "data.json").read_text())["unlabelled"] == 8


def test_a_checkpoint_alone_is_enough_to_go_on_from(command, pretrain):
    folder = pretrain("--run_name=alone", fit=True).folder

    status, text = command("pretrain.py", f"--resume_from_ckpt={folder / 'last.ckpt'}", "--trainer.max_steps=4")

    assert status == 0
    assert f"going on with the run's own config: {folder / 'config.yaml'}" in text
    assert json.loads((folder / "metrics.json").read_text())["steps"] == 4
    status, text = command("pretrain.py", f"--resume_from_ckpt={folder / 'last.ckpt'}")
    assert f"{folder / 'config-2.yaml'}\n" in text
    assert "already at step 4 of max_steps: no step was taken. Raise --trainer.max_steps to go on." in text


@pytest.mark.parametrize("config", [PROBE, FINETUNE], ids=["probe", "finetune"])
def test_finetune_py_goes_on_from_a_checkpoint_alone(command, trained, labelled, tmp_path, config):
    args = ["--config", config, *labelled, *SMALL_FINE, f"--model.checkpoint={trained / 'last.ckpt'}"]
    status, _ = command("finetune.py", *args, f"--ckpt_path={tmp_path}", "--run_name=run")
    assert status == 0

    last = tmp_path / "run" / "last.ckpt"
    status, text = command("finetune.py", f"--resume_from_ckpt={last}", "--trainer.max_epochs=3")

    assert status == 0, text
    assert torch.load(last, weights_only=True)["epoch"] == 3
    status, text = command("finetune.py", f"--resume_from_ckpt={last}", "--trainer.max_epochs=3")
    assert "already at epoch 3 of max_epochs: no step was taken. Raise --trainer.max_epochs to go on." in text


def test_a_finished_run_keeps_its_numbers(pretrain, caplog):
    first = pretrain(fit=True)
    before = {name: (first.folder / name).read_text() for name in ("metrics.json", "metrics.csv")}

    with caplog.at_level("INFO", "semisupcon"):
        pretrain(f"--resume_from_ckpt={first.folder / 'last.ckpt'}", fit=True)

    assert {name: (first.folder / name).read_text() for name in before} == before
    assert "already at step 2 of max_steps" in caplog.text


def test_the_start_says_device_and_precision(pretrain, caplog):
    with caplog.at_level("INFO", "semisupcon"):
        pretrain(fit=True)

    assert "training on 1 x cpu, 32-true, 0 loading processes" in caplog.messages


def test_what_lightning_writes_by_itself_goes_into_the_runs_folder(pretrain, tmp_path):
    cli = pretrain()

    assert cli.trainer.default_root_dir == str(cli.folder)
    assert pretrain(f"--trainer.default_root_dir={tmp_path}").trainer.default_root_dir == str(tmp_path)


def test_the_bar_runs_over_the_steps_where_they_alone_limit_the_run(pretrain):
    small = without("trainer.enable_progress_bar")

    def bar(*args):
        return type(pretrain(*args, small=small).trainer.progress_bar_callback)

    assert bar() is StepsBar
    assert bar("--trainer.max_epochs=3") is not StepsBar
    assert bar("--trainer.callbacks=[{class_path: pytorch_lightning.callbacks.TQDMProgressBar}]") is TQDMProgressBar
    assert bar("--trainer.enable_progress_bar=false") is type(None)


def test_ctrl_c_names_a_checkpoint_that_is_there(pretrain, caplog, monkeypatch):
    """Before the first one it says so; after it, which."""

    def interrupted(*args):
        raise KeyboardInterrupt

    cli = pretrain("--checkpoint.every_n_steps=1", "--run_name=run")
    monkeypatch.setattr(
        cli.model, "on_train_batch_start", lambda *_: interrupted() if cli.trainer.global_step else None
    )
    early = pretrain("--run_name=early")
    monkeypatch.setattr(early.model, "on_train_batch_start", interrupted)

    with caplog.at_level("INFO", "semisupcon"):
        for each in (cli, early):
            with pytest.raises(SystemExit):
                each.run_command()

    said = [message for message in caplog.messages if message.startswith("\nstopped")]
    last = cli.folder / "last.ckpt"
    assert said[0] == f"\nstopped at step 1; to go on (saved at step 1): --resume_from_ckpt={last}"
    assert last.exists()
    assert "before the first checkpoint" in said[1]
    assert not list(early.folder.glob("*.ckpt"))


def test_a_resumed_run_goes_on_in_the_same_wandb_run(pretrain, monkeypatch):
    made = []

    class Fake(DummyLogger):
        def __init__(self, **options):
            super().__init__()
            made.append(options)

    monkeypatch.setattr("pytorch_lightning.loggers.WandbLogger", Fake)
    first = pretrain("--log=true", fit=True)
    pretrain("--log=true", f"--resume_from_ckpt={first.folder / 'last.ckpt'}")
    pretrain("--log=true")

    ids = [options["id"] for options in made]
    assert ids[0] == ids[1] != ids[2]
    assert [options["resume"] for options in made] == ["allow"] * 3


def test_csv_and_tensorboard_loggers_by_class_path(pretrain, tmp_path):
    pytest.importorskip("tensorboard")
    loggers = [
        {"class_path": f"pytorch_lightning.loggers.{name}", "init_args": {"save_dir": str(tmp_path / name)}}
        for name in ("CSVLogger", "TensorBoardLogger")
    ]

    cli = pretrain(f"--trainer.logger={json.dumps(loggers)}", fit=True)

    assert rows(next((tmp_path / "CSVLogger").rglob("metrics.csv")))
    assert next((tmp_path / "TensorBoardLogger").rglob("events.out.*")).stat().st_size > 0
    assert rows(cli.folder / "metrics.csv"), "ours is written as well"


def test_a_single_logger_with_its_options_spelt_out(pretrain, tmp_path):
    pretrain(
        *("--trainer.logger.class_path=pytorch_lightning.loggers.CSVLogger",),
        *(f"--trainer.logger.init_args.save_dir={tmp_path / 'logs'}",),
        fit=True,
    )

    assert rows(next((tmp_path / "logs").rglob("metrics.csv")))


def test_wandb_offline_writes_into_the_runs_folder(place, tmp_path):
    args = ["--config", SSL, f"--data.data_dir={place / 'music'}", *SMALL]
    args += ["--log=true", f"--ckpt_path={tmp_path}", "--run_name=logged"]
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true"}

    subprocess.run(
        [sys.executable, "pretrain.py", *args], cwd=ROOT, env=environment, check=True, capture_output=True, timeout=180
    )

    assert next((tmp_path / "logged" / "wandb").rglob("*.wandb")).stat().st_size > 0
    assert (tmp_path / "logged" / "metrics.csv").exists()
    assert not (ROOT / "wandb").exists()


def test_a_corrupt_file_is_left_out_named_once_and_counted(command, tmp_path):
    for number in range(6):
        tone(tmp_path / "music" / f"{number}.wav", seed=number)
    (tmp_path / "music" / "broken.wav").write_bytes(b"RIFF and nothing else")
    small = without("trainer.max_steps")

    status, text = command(
        *("pretrain.py", "--config", SSL, f"--data.data_dir={tmp_path / 'music'}", "--data.val_split=0", *small),
        *("--trainer.max_epochs=3", f"--ckpt_path={tmp_path}", "--run_name=run"),
    )

    assert status == 0
    assert text.count("broken.wav") == 1, "drawn in each of three epochs"
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["bad_files"] == 1
    assert [Path(row["path"]).name for row in rows(tmp_path / "run" / "bad_files.csv")] == ["broken.wav"]


@pytest.mark.parametrize("config", [PROBE, FINETUNE], ids=["probe", "finetune"])
@pytest.mark.parametrize("from_checkpoint", [True, False], ids=["pretrained", "untrained"])
def test_finetune_py_ends_with_a_report(command, trained, labelled, tmp_path, config, from_checkpoint):
    encoder = [
        *("--model.encoder=SampleCNN", "--model.encoder.channels=[4,4]", "--model.encoder.stem=4"),
        *("--model.encoder.out=8", f"--model.encoder.sample_rate={RATE}", "--data.target_len=0.2"),
    ]
    given = [f"--model.checkpoint={trained / 'last.ckpt'}"] if from_checkpoint else encoder

    status, text = command(
        "finetune.py", "--config", config, *labelled, *SMALL_FINE, *given, f"--ckpt_path={tmp_path}", "--run_name=run"
    )

    assert status == 0
    assert "accuracy" in text
    test = json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]
    assert set(test["accuracy"]) >= {"value", "low", "high"}
    for name in ("config.yaml", "data.json", "split.csv", "metrics.csv", "last.ckpt"):
        assert (tmp_path / "run" / name).exists(), name
    content = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert content["semisupcon"]["task"]["name"] == "gtzan"


def test_finetune_py_takes_rate_and_length_from_the_checkpoint(trained, labelled, tmp_path, own_logging):
    args = ["--config", PROBE, *labelled, *SMALL_FINE, f"--ckpt_path={tmp_path}"]

    cli = Evaluate([*args, f"--model.checkpoint={trained / 'last.ckpt'}"])

    assert isinstance(cli.model.encoder, SampleCNN)
    assert (cli.datamodule.sample_rate, cli.datamodule.length) == (RATE, round(0.2 * RATE))


def test_help_begins_with_what_the_command_is():
    done = subprocess.run(
        [sys.executable, "pretrain.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    top = done.stdout.splitlines()[:15]
    assert top[0] == "usage: python pretrain.py --config FILE [--option=value ...]"
    assert top[2].startswith("Pretrain an encoder")
    assert sum("python pretrain.py --config" in line for line in top[1:]) == 3
    assert "b_s, the share of labelled clips in a batch" in " ".join(done.stdout.split()), "docstrings are the help"


def test_finetune_pys_help_begins_with_what_it_is(own_logging, trained, labelled, tmp_path):
    args = ["--config", PROBE, *labelled, *SMALL_FINE, f"--ckpt_path={tmp_path}"]

    top = Evaluate([*args, f"--model.checkpoint={trained / 'last.ckpt'}"]).parser.format_help().splitlines()[:15]

    assert top[0] == "usage: python finetune.py --config FILE [--option=value ...]"
    assert top[2].startswith("Probe or fine-tune an encoder")
    assert sum("python finetune.py --config" in line for line in top[1:]) == 4
