"""Fine-tuning: encoder and head change, validation and test do not; every kind of task ends in a report."""

import csv
import json
import math
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pytorch_lightning.callbacks import Callback
from quiet import quiet_trainer
from torch import nn

from semisupcon import audio, checkpoint
from semisupcon.batch import to_float
from semisupcon.datasets.keys import KEYS
from semisupcon.downstream.callbacks import KeepBest
from semisupcon.downstream.cli import Evaluate, write_bad_files
from semisupcon.downstream.datamodule import TaskDataModule
from semisupcon.downstream.finetune import FineTune
from semisupcon.downstream.probe import Probe
from semisupcon.encoders.base import Encoder
from semisupcon.encoders.logmel import LogMel
from semisupcon.errors import UserError
from semisupcon.loading.sampler import Draws
from semisupcon.loading.segments import segments
from semisupcon.table import Table, Task

CPU = torch.device("cpu")
T = 243
TONE = Task("tone", "multiclass", ("low", "middle", "high"))


def _table(tones, labels=None):
    """The tones with labels (48, K); by default their class."""
    root, path, split = tones
    return Table.build(root, path, split, np.eye(3)[_classes(path)] if labels is None else labels, ["song"] * len(path))


def _classes(path):
    return np.array([int(name.split("/")[1][:2]) % 3 for name in path])


def _data(**options):
    module = TaskDataModule("tone", target_len=T / 8000, batch_size=8, num_workers=0, **options)
    module.fit_encoder(8000, None)
    return module


def _fit(model, data, epochs, *callbacks, **options):
    trainer = quiet_trainer(max_epochs=epochs, callbacks=list(callbacks), **options)
    trainer.fit(model, **model.begin(data, CPU))
    return trainer


class Story(Callback):
    """What training and validation were shown, and the loss of each."""

    def __init__(self):
        self.modes = []
        self.train, self.val, self.train_loss, self.val_loss = [], [], [], []

    def on_train_batch_start(self, trainer, pl_module, *_):
        self.modes.append(all(module.training for module in pl_module.modules()))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, *_):
        self.train.append(batch)
        self.train_loss.append(float(outputs["loss"]))

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, *_):
        self.val.append(batch)

    def on_validation_end(self, trainer, pl_module):
        self.val_loss.append(float(trainer.callback_metrics.get("val/loss", math.nan)))


@pytest.fixture
def model(tiny_encoder):
    return FineTune(encoder=tiny_encoder(), optimizer=lambda parameters: torch.optim.Adam(parameters, 0.01))


def test_it_changes_the_encoder_and_the_loss_falls(tones, register, model):
    register(_table(tones), TONE)
    data, story = _data(), Story()
    model.begin(data, CPU)
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    _fit(model, data, 8, story, KeepBest())
    changed = {name for name, value in model.encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert changed >= {name for name, _ in model.encoder.named_parameters()}
    assert any("running_mean" in name for name in changed)
    assert all(story.modes)  # all of it in train mode, dropout included, after validation too
    assert np.mean(story.train_loss[-3:]) < 0.5 * np.mean(story.train_loss[:3])
    scores, rows = model.scores(data)
    assert data.names(rows) == [f"test/{number:02d}.wav" for number in range(12)]
    assert float((scores.argmax(dim=1) == data.labels(rows).argmax(dim=1)).float().mean()) > 0.9


def test_training_crops_are_augmented_and_validation_clips_are_the_files(tones, register, model):
    register(_table(tones), TONE)
    data, story = _data(aug_list=["gain"], aug_severity=5), Story()
    _fit(model, data, 1, story)
    rows = [row for clips in story.val for row in clips.rows.tolist()]
    assert sorted(rows) == sorted(data.pools.val.tolist())
    for clips in story.val:
        for row in clips.rows:
            wanted = segments(data.reader.whole(int(row)), T)
            np.testing.assert_array_equal(clips.audio[clips.clip == row][:, 0], wanted)
    augmented = 0
    for batch in story.train:
        for file, crop in zip(batch.file, batch.audio[:, 0, 0], strict=True):
            whole = torch.from_numpy(audio.read(str(data.pools.paths[file]), 8000)).float() / 32768
            augmented += not any(torch.equal(crop, window) for window in whole.unfold(0, T, 1))
    assert augmented > 0.5 * 24


class Masked(Encoder):
    """The mean spectrogram, which training mode masks and mixes with others."""

    def __init__(self):
        super().__init__()
        self.sample_rate, self.dim, self.receptive_field = 8000, 8, 128
        masks = {"frequency_masking": 0.9, "time_masking": 0.9, "noise_mixing": 1.0}
        self.log_mel = LogMel(8000, 128, 128, 32, n_mels=8, f_min=0, f_max=None, **masks)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, audio):
        return self.norm(self.log_mel(audio).mean(dim=(1, 3)))


@pytest.mark.parametrize("asked", [False, True])
def test_masks_and_noise_of_a_front_end_stay_in_pretraining_unless_asked_for(tones, register, asked):
    register(_table(tones), TONE)
    same, modes = [], []

    class Listening(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, *_):
            same.append(torch.equal(*(pl_module.encoder(batch.audio.flatten(0, 1)) for _ in range(2))))
            modes.append(pl_module.encoder.norm.training)

    _fit(FineTune(encoder=Masked(), front_end_augmentation=asked), _data(), 2, Listening())
    assert same == [not asked] * 6  # after a validation too
    assert all(modes)


def test_a_clip_is_scored_by_the_mean_of_its_segments_whatever_its_place(tones, register, model):
    register(_table(tones), TONE)
    data = _data()
    model.begin(data, CPU)
    scores, rows = model.scores(data)
    for score, row in zip(scores, rows.tolist(), strict=True):
        sound = torch.from_numpy(segments(data.reader.whole(int(row)), T)).float() / 32768
        with torch.no_grad():
            wanted = model.head(model.encoder(sound[:, None]).mean(dim=0, keepdim=True))[0]
        torch.testing.assert_close(score, wanted, atol=1e-5, rtol=1e-4)
    # rows of a group need not ascend
    clips = data.clips("test", size=4)
    clips.rows = clips.rows[[3, 0, 2, 1]]
    torch.testing.assert_close(model.head(model._means(clips[0])), scores[[3, 0, 2, 1]], atol=1e-5, rtol=1e-4)


def test_the_best_weights_of_encoder_and_head_are_put_back(tones, register, tiny_encoder):
    register(_table(tones), TONE)
    model = FineTune(encoder=tiny_encoder(), optimizer=lambda parameters: torch.optim.Adam(parameters, 0.3))
    data, story, best = _data(), Story(), KeepBest()
    _fit(model, data, 6, story, best)
    assert best.best == min(story.val_loss)
    with torch.no_grad():
        model.eval()
        clips = [model._means(clips) for clips in story.val[:2]]  # 12 clips, 8 at a time
        labels = torch.cat([clips.labels for clips in story.val[:2]])
        assert float(model.head.loss(model.head(torch.cat(clips)), labels)) == pytest.approx(best.best, rel=1e-4)


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_split_of_broken_files_alone_does_not_crash(tones, register, model, part):
    root, path, split = tones
    paths = [f"missing/{name}" if name.startswith(part) else name for name in path]
    register(Table.build(root, paths, split, np.eye(3)[_classes(path)]), TONE)
    data, story = _data(), Story()
    _fit(model, data, 1, story, KeepBest())
    scores, rows = model.scores(data)
    assert len(scores) == len(rows) == (0 if part == "test" else 12)
    assert len(story.train) == 3
    assert np.isnan(story.val_loss[0]) == (part == "val")


@pytest.mark.parametrize("method", [FineTune, Probe])
def test_without_a_validation_split_the_last_weights_are_used_and_it_says_so(
    tones, register, tiny_encoder, caplog, method
):
    root, path, split = tones
    kept = [row for row, part in enumerate(split) if part != "val"]
    register(_table((root, [path[row] for row in kept], [split[row] for row in kept])), TONE)
    data, best, model = _data(), KeepBest(), method(encoder=tiny_encoder())
    trainer = _fit(model, data, 2, best)
    assert trainer.current_epoch == 2
    assert best.weights is None
    assert [record.message for record in caplog.records if "no labelled validation clip" in record.message] == [
        "tone: no labelled validation clip, so there is no early stopping and no best epoch: the last weights are "
        "used. --trainer.max_epochs decides how long is trained."
    ]
    assert len(model.scores(data)[0]) == 12


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_value_that_the_user_named_decides_which_weights_are_best(tones, register, tiny_encoder, mode):
    register(_table(tones), TONE)
    seen = []

    class Accuracies(Callback):
        def on_validation_end(self, trainer, pl_module):
            seen.append(float(trainer.callback_metrics["val/accuracy"]))

    best = KeepBest(None, "val/accuracy", mode)
    model = FineTune(encoder=tiny_encoder(), optimizer=lambda parameters: torch.optim.Adam(parameters, 0.01))
    _fit(model, _data(), 5, Accuracies(), best)
    wanted = (min if mode == "min" else max)(seen)
    assert (best.best, best.epoch) == (wanted, seen.index(wanted))
    other = KeepBest()  # of the loss: an accuracy is no measure for it
    other.load_state_dict(best.state_dict())
    assert (other.best, other.weights) == (math.inf, None)


@pytest.mark.parametrize("method", [FineTune, Probe])
def test_in_bfloat16_validation_and_test_agree(tones, register, tiny_encoder, method):
    register(_table(tones), TONE)
    data, noted = _data(), []

    class Spy(method):
        def note(self, scores, labels):
            noted.append(scores)
            super().note(scores, labels)

    model = Spy(encoder=tiny_encoder(), optimizer=lambda parameters: torch.optim.Adam(parameters, 0.01))
    _fit(model, data, 1, precision="bf16-mixed")
    data.pools.test[:] = data.pools.val
    scores, _ = model.scores(data)
    assert {score.dtype for score in noted} == {torch.float32}
    torch.testing.assert_close(torch.cat(noted), scores, atol=1e-5, rtol=1e-5)


def test_a_batch_of_one_is_refused_for_fine_tuning_and_not_for_a_probe(tones, register, tiny_encoder):
    register(_table(tones), TONE)
    data = _data()
    data.batch_size = 1
    with pytest.raises(UserError, match=r"--data.batch_size=1: fine-tuning needs at least 2"):
        FineTune(encoder=tiny_encoder()).begin(data, CPU)
    _fit(Probe(encoder=tiny_encoder()), data, 1)


@pytest.mark.parametrize("readable", [0, 1])
def test_a_batch_with_too_few_readable_clips_has_no_loss_but_a_gradient(tones, register, model, readable):
    register(_table(tones), TONE)
    data = _data()
    model.begin(data, CPU)
    rows = data.pools.labelled[:readable]
    draws = Draws(0, rows, np.zeros(readable, np.int64), np.ones(readable, bool))
    batch = data._crops(seed=0)[draws]
    loss = model.training_step(batch.with_audio(to_float(batch.audio)), 0)
    loss.backward()
    assert loss.item() == 0
    assert all(torch.equal(each.grad, torch.zeros_like(each)) for each in model.trained().parameters())


@pytest.mark.parametrize("method", [FineTune, Probe])
def test_a_checkpoint_records_the_segment_length_trained_on(tones, register, tiny_encoder, method):
    register(_table(tones), TONE)
    model, content = method(encoder=tiny_encoder()), {}
    model.samples = 999  # of pretraining
    model.begin(_data(), CPU)
    model.on_save_checkpoint(content)
    assert content[checkpoint.KEY]["samples"] == T


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("clips", [1, 9, 12])
def test_ranks_validate_in_equally_many_groups(tones, register, world, clips):
    register(_table(tones), TONE)
    found = []
    for rank in range(world):
        data = _data()
        data.pools.val_labelled[clips:] = False
        data.trainer = SimpleNamespace(global_rank=rank, world_size=world, training=False)
        data.clips = partial(data.clips, size=2)
        found.append(list(data.val_dataloader()))
    assert len({len(groups) for groups in found}) == 1
    rows = [row for groups in found for group in groups for row in group.rows.tolist()]
    assert sorted(rows) == sorted(data.pools.val[:clips].tolist())
    assert all(group.audio.shape[1:] == (1, T) for groups in found for group in groups)


# The command


def _run(tmp_path, task, *more):
    command = Evaluate(
        [
            "--config=config/finetuning/finetune.yaml",
            f"--data.sl_task={task}",
            f"--data.target_len={T / 8000}",
            *("--data.num_workers=0", "--data.batch_size=8"),
            "--model.init_args.encoder=SampleCNN",
            "--model.init_args.encoder.init_args.sample_rate=8000",
            "--model.init_args.encoder.init_args.channels=[8,8,8,8]",
            "--model.init_args.encoder.init_args.out=8",
            "--model.init_args.encoder.init_args.stem=8",
            "--model.init_args.optimizer.init_args.lr=0.01",
            *("--trainer.max_epochs=3", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
            *(f"--ckpt_path={tmp_path}", "--run_name=run"),
            *more,
        ]
    )
    command.run_command()
    return command


@pytest.fixture
def here(monkeypatch, request):
    """The repository, where the configs are."""
    monkeypatch.chdir(request.config.rootpath)


def _tags(number):
    """Two tags that follow the class, one that does not, and some that are unknown."""
    labels = np.stack([number == 0, number > 0, np.arange(48) % 2 == 0], axis=1).astype(float)
    labels[5:9, 2] = np.nan
    return labels


def _targets(number):
    """A target in the thousands and one in hundredths."""
    return np.stack([1000.0 * number, 0.01 * np.arange(48)], axis=1)


@pytest.mark.parametrize(
    ("kind", "classes", "labels", "metrics"),
    [
        ("multilabel", ("a", "b", "c"), _tags, {"roc_auc", "pr_auc"}),
        ("regression", ("arousal", "valence"), _targets, {"r2", "r2_arousal", "r2_valence"}),
        ("key", KEYS, lambda number: np.eye(24)[8 * number], {"accuracy", "mirex"}),
        ("multiclass", ("low", "middle", "high"), lambda number: np.eye(3)[number], {"accuracy", "macro_f1"}),
    ],
)
def test_every_kind_of_task_ends_in_its_metrics(here, tones, register, tmp_path, kind, classes, labels, metrics):
    task = register(_table(tones, labels(_classes(tones[1]))), Task("toy", kind, classes))
    folder = _run(tmp_path, task).folder
    written = json.loads((folder / "metrics.json").read_text())
    assert set(written["test"]) == metrics
    assert all(math.isfinite(entry["value"]) for entry in written["test"].values())
    assert (written["clips"], written["training_clips"], written["method"]) == (12, 24, "FineTune")
    history = list(csv.DictReader((folder / "metrics.csv").open()))
    assert len([row for row in history if row["val/loss"]]) == 3
    again = checkpoint.pretrained(folder / "last.ckpt")  # what was fine-tuned can be probed or tuned further
    assert again.spec["init_args"]["out"] == 8
    assert torch.load(folder / "last.ckpt", weights_only=True)[checkpoint.KEY]["task"]["kind"] == kind


def test_the_best_state_is_in_the_checkpoint_and_a_resumed_run_goes_on(here, tones, register, tmp_path):
    register(_table(tones), TONE)
    last = _run(tmp_path, "tone").folder / "last.ckpt"
    content = torch.load(last, weights_only=True)
    best = content["callbacks"]["KeepBest"]
    history = list(csv.DictReader((last.parent / "metrics.csv").open()))
    assert best["best"] == pytest.approx(min(float(row["val/loss"]) for row in history if row["val/loss"]), rel=1e-5)
    for name, value in best["weights"].items():
        place = name.replace("0.", "encoder.", 1) if name.startswith("0.") else name.replace("1.", "head.", 1)
        assert torch.equal(content["state_dict"][place], value), name
    more = ["--trainer.max_epochs=5", f"--resume_from_ckpt={last}", "--run_name=again"]
    resumed = torch.load(_run(tmp_path, "tone", *more).folder / "last.ckpt", weights_only=True)
    assert (content["epoch"], resumed["epoch"]) == (3, 5)
    assert resumed["callbacks"]["KeepBest"]["best"] <= best["best"]


def test_a_run_of_broken_test_files_says_so(here, tones, register, tmp_path):
    root, path, split = tones
    paths = [f"missing/{name}" if name.startswith("test") else name for name in path]
    register(Table.build(root, paths, split, np.eye(3)[_classes(path)]), TONE)
    with pytest.raises(UserError, match="tone: none of the test clips could be read"):
        _run(tmp_path, "tone", "--trainer.max_epochs=1")


def test_a_task_without_labelled_test_clips_is_refused_before_anything_is_written(here, tones, register, tmp_path):
    labels = np.eye(3)[_classes(tones[1])]
    labels[36:] = np.nan
    register(_table(tones, labels), TONE)
    with pytest.raises(UserError, match="tone: no labelled test clip under"):
        _run(tmp_path, "tone")
    assert not (tmp_path / "run").exists()


def test_broken_files_of_training_and_of_the_test_are_in_one_list(here, tones, register, tmp_path):
    root, path, split = tones
    broken = {"train/03.wav", "val/01.wav", "test/02.wav"}
    paths = [f"missing/{name}" if name in broken else name for name in path]
    register(Table.build(root, paths, split, np.eye(3)[_classes(path)]), TONE)
    folder = _run(tmp_path, "tone", "--trainer.max_epochs=1").folder
    listed = [row["path"] for row in csv.DictReader((folder / "bad_files.csv").open())]
    assert sorted(listed) == sorted(f"{root}/missing/{name}" for name in broken)
    assert json.loads((folder / "metrics.json").read_text())["test_files_broken"] == 1


def test_what_early_stopping_looks_at_decides_the_best_weights(here, tones, register, tmp_path):
    register(_table(tones), TONE)
    folder = _run(tmp_path, "tone", "--early_stopping.monitor=val/accuracy", "--early_stopping.mode=max").folder
    best = torch.load(folder / "best.ckpt", weights_only=True)["callbacks"]["KeepBest"]
    history = list(csv.DictReader((folder / "metrics.csv").open()))
    assert best["monitor"] == "val/accuracy"
    assert best["best"] == pytest.approx(max(float(row["val/accuracy"]) for row in history if row["val/accuracy"]))


def test_a_batch_of_one_is_refused_before_anything_is_written(here, tones, register, tmp_path):
    register(_table(tones), TONE)
    with pytest.raises(UserError, match=r"--data.batch_size=1: fine-tuning"):
        _run(tmp_path, "tone", "--data.batch_size=1")
    assert not (tmp_path / "run").exists()


def test_a_file_is_listed_as_broken_once(tmp_path):
    write_bad_files(tmp_path / "bad.csv", {"a": "x", "b": "y, z"})
    write_bad_files(tmp_path / "bad.csv", {"b": "y, z", "c": "w"})
    assert list(csv.reader((tmp_path / "bad.csv").open())) == [
        ["path", "reason"],
        ["a", "x"],
        ["b", "y, z"],
        ["c", "w"],
    ]
