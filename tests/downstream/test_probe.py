"""A probe: the encoder stays as it is, bit for bit; the head learns, stops by validation, and keeps its best state."""

import csv
import json
import math
import shutil

import numpy as np
import pytest
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping
from quiet import quiet_trainer

from semisupcon import audio, checkpoint
from semisupcon.downstream.callbacks import KeepBest
from semisupcon.downstream.cli import Evaluate
from semisupcon.downstream.datamodule import TaskDataModule
from semisupcon.downstream.probe import Probe, _RandomSegments
from semisupcon.errors import UserError
from semisupcon.table import Table, Task

CPU = torch.device("cpu")
TASK = Task("tone", "multiclass", ("low", "middle", "high"))


@pytest.fixture
def data(tones, register):
    root, path, split = tones
    number = np.array([int(name.split("/")[1][:2]) for name in path])
    register(Table.build(root, path, split, np.eye(3)[number % 3]), TASK)
    module = TaskDataModule(
        "tone", target_len=243 / 8000, batch_size=8, num_workers=0, aug_list=["gain"], aug_severity=5
    )
    module.fit_encoder(8000, None)
    return module


def _probe(tiny_encoder, lr=0.05, **options):
    return Probe(encoder=tiny_encoder(**options), optimizer=lambda parameters: torch.optim.Adam(parameters, lr))


def _fit(model, data, epochs, *callbacks):
    trainer = quiet_trainer(max_epochs=epochs, callbacks=list(callbacks))
    trainer.fit(model, **model.begin(data, CPU))
    return trainer


class Story(Callback):
    """The validation loss and the head's weights after each epoch, and whether the encoder was ever in train mode."""

    def __init__(self):
        self.loss, self.weights, self.trained = [], [], []

    def on_train_batch_start(self, trainer, pl_module, *_):
        self.trained.append(any(module.training for module in pl_module.encoder.modules()))

    def on_validation_end(self, trainer, pl_module):
        self.loss.append(float(trainer.callback_metrics["val/loss"]))
        self.weights.append(pl_module.head.layers[-1].weight.detach().clone())


def test_the_encoder_is_not_changed_by_a_bit_and_never_in_train_mode(data, tiny_encoder):
    # left in train mode its BatchNorm statistics drift
    model, story = _probe(tiny_encoder, dropout=0.5), Story()
    model.begin(data, CPU)  # calibrates the untrained encoder
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    _fit(model, data, 3, story)
    model.scores(data)
    assert all(torch.equal(value, before[name]) for name, value in model.encoder.state_dict().items())
    assert story.trained == [False] * 9  # 24 clips in batches of 8
    assert not any(parameter.requires_grad for parameter in model.encoder.parameters())
    assert (story.weights[0] != story.weights[-1]).any()
    model.train()
    assert model.head.training
    assert not model.encoder.training


def test_it_learns_what_can_be_told_apart(data, tiny_encoder):
    model = _probe(tiny_encoder)
    _fit(model, data, 30, KeepBest())
    scores, rows = model.scores(data)
    assert data.names(rows) == [f"test/{number:02d}.wav" for number in range(12)]
    assert float((scores.argmax(dim=1) == data.labels(rows).argmax(dim=1)).float().mean()) > 0.9


def test_validation_is_over_whole_clips_and_never_augmented(data, tiny_encoder):
    model = _probe(tiny_encoder)
    [(embedding, labels)] = list(model.begin(data, CPU)["val_dataloaders"])
    assert len(embedding) == len(data.pools.val) == 12
    for row, mean, label in zip(data.pools.val, embedding, labels, strict=True):
        sound = torch.from_numpy(audio.read(str(data.pools.paths[row]), 8000)).float() / 32768
        starts = [*range(0, len(sound) - 243, 243), len(sound) - 243]
        with torch.no_grad():
            each = model.encoder(torch.stack([sound[start : start + 243] for start in starts])[:, None])
        torch.testing.assert_close(mean, each.mean(dim=0), atol=1e-6, rtol=1e-4)
        assert torch.equal(label, torch.from_numpy(data.pools.labels[row]))


def test_the_loss_that_decides_is_that_of_the_whole_validation_set(data, tiny_encoder):
    model = _probe(tiny_encoder)
    trainer = _fit(model, data, 2)
    [(embedding, labels)] = list(trainer.val_dataloaders)
    with torch.no_grad():
        scores = model.head(embedding)
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(
        float(model.head.loss(scores, labels)), rel=1e-5
    )
    right = (scores.argmax(dim=1) == labels.argmax(dim=1)).float().mean()
    assert float(trainer.callback_metrics["val/accuracy"]) == pytest.approx(float(right))


def test_it_stops_when_validation_gets_no_better_and_puts_the_best_back(data, tiny_encoder):
    model, story, best = _probe(tiny_encoder, lr=30.0), Story(), KeepBest()
    _fit(model, data, 200, story, best, EarlyStopping("val/loss", patience=4))
    lowest = int(np.argmin(story.loss))
    assert len(story.loss) == lowest + 1 + 4
    assert best.epoch == lowest
    assert best.best == min(story.loss)
    assert torch.equal(model.head.layers[-1].weight, story.weights[lowest])
    assert not torch.equal(model.head.layers[-1].weight, story.weights[-1])


def test_the_best_state_survives_in_a_checkpoint(data, tiny_encoder, tmp_path):
    best = KeepBest()
    _fit(_probe(tiny_encoder), data, 10, best)
    torch.save(best.state_dict(), tmp_path / "best.pt")
    resumed, story = KeepBest(), Story()
    resumed.load_state_dict(torch.load(tmp_path / "best.pt", weights_only=True))
    assert (resumed.best, resumed.epoch) == (best.best, best.epoch)
    worse = _probe(tiny_encoder, lr=1e-6)
    _fit(worse, data, 2, story, resumed)
    assert min(story.loss) > best.best
    assert torch.equal(worse.head.layers[-1].weight, best.weights["layers.1.weight"])
    nothing = KeepBest()
    nothing.load_state_dict(KeepBest().state_dict())
    assert nothing.best == math.inf


def test_an_epoch_shows_one_random_segment_of_every_clip():
    clip = torch.tensor([7, 7, 7, 2, 5, 5])
    segment = torch.arange(6.0)[:, None]
    labels = torch.arange(10.0)[:, None]
    epochs = _RandomSegments(segment, clip, labels, batch_size=2, seed=0)
    seen = []
    for epochs.epoch in range(60):
        batches = list(epochs)
        assert len(batches) == len(epochs) == 2
        shown = torch.cat([part for part, _ in batches])[:, 0].long()
        assert sorted(clip[shown].tolist()) == [2, 5, 7]
        assert torch.equal(torch.cat([part for _, part in batches])[:, 0].long(), clip[shown])
        seen += shown.tolist()
    assert set(seen) == set(range(6))
    again = _RandomSegments(segment, clip, labels, 2, 0)
    other = _RandomSegments(segment, clip, labels, 2, 0)
    other.epoch = 3
    assert [x.tolist() for x, _ in again] != [x.tolist() for x, _ in other]
    assert [x.tolist() for x, _ in again] == [x.tolist() for x, _ in _RandomSegments(segment, clip, labels, 2, 0)]


def test_calibration_never_leaves_a_batch_of_one_clip(data):
    sizes = [len(part) for part in data.calibration(at_once=23)]  # 24 clips
    assert sizes == [12, 12]
    assert torch.equal(data.calibration()[0], data.calibration()[0])
    assert data.calibration()[0].abs().max() <= 1


def test_without_one_readable_training_clip_it_says_so(tones, register, tiny_encoder, tmp_path):
    root, path, split = tones
    paths = [f"missing/{name}" if part == "train" else name for name, part in zip(path, split, strict=True)]
    register(Table.build(root, paths, split, np.eye(3)[np.arange(48) % 3]), TASK)
    data = TaskDataModule("tone", num_workers=0)
    data.fit_encoder(8000, 243)
    with pytest.raises(UserError, match="tone: none of the 24 training clips could be read"):
        _probe(tiny_encoder).begin(data, CPU)
    assert len(data.bad.found) == 24


# The command


def _run(nsynth, tmp_path, *more, config="probe"):
    command = Evaluate(
        [
            f"--config=config/finetuning/{config}.yaml",
            "--data.sl_task=nsynth_instr_family",
            f"--data.sl_kwargs.root={nsynth}",
            "--data.num_workers=0",
            "--data.target_len=0.0304",
            "--model.init_args.optimizer.init_args.lr=0.05",
            "--trainer.max_epochs=20",
            "--trainer.accelerator=cpu",
            "--trainer.enable_progress_bar=false",
            f"--ckpt_path={tmp_path}",
            "--run_name=run",
            *more,
        ]
    )
    command.run_command()
    return command.folder


ENCODER = (
    "--model.init_args.encoder=SampleCNN",
    "--model.init_args.encoder.init_args.sample_rate=8000",
    "--model.init_args.encoder.init_args.channels=[8,8,8,8]",
    "--model.init_args.encoder.init_args.out=8",
    "--model.init_args.encoder.init_args.stem=8",
)


@pytest.fixture
def here(monkeypatch, request):
    """The repository, where the configs are."""
    monkeypatch.chdir(request.config.rootpath)


@pytest.fixture
def pretrained(tiny_encoder, tmp_path):
    """A checkpoint as pretraining writes it."""
    encoder = tiny_encoder(3)
    with torch.no_grad():
        encoder.train()(torch.randn(8, 1, 243))
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    torch.save({"state_dict": state, checkpoint.KEY: checkpoint.describe(encoder, 243)}, tmp_path / "pretrained.ckpt")
    return tmp_path / "pretrained.ckpt"


def test_the_command_leaves_a_report_with_the_bad_test_files_counted(here, nsynth, tmp_path):
    own = tmp_path / "nsynth"
    shutil.copytree(nsynth, own)
    bad = sorted((own / "nsynth-test/audio").iterdir())[:2]
    for path in bad:
        path.write_bytes(b"no audio")
    folder = _run(own, tmp_path, *ENCODER)
    written = json.loads((folder / "metrics.json").read_text())
    # silently replaced by their neighbours in an earlier implementation
    assert (written["clips"], written["test_files_broken"]) == (4, 2)
    assert set(written["test"]["accuracy"]) == {"value", "low", "high"}
    listed = [row["path"] for row in csv.DictReader((folder / "bad_files.csv").open())]
    assert listed == [str(path) for path in bad]
    tested = [row["path"] for row in csv.DictReader((folder / "predictions.csv").open())]
    assert tested == sorted(f"nsynth-test/audio/{path.name}" for path in (own / "nsynth-test/audio").iterdir())[2:]
    names = {path.name for path in folder.iterdir()}
    assert names >= {"config.yaml", "split.csv", "last.ckpt", "metrics.csv", "per_class.csv", "confusion.png"}


def test_a_checkpoint_decides_rate_and_segment_and_its_encoder_is_kept(here, nsynth, tmp_path, pretrained):
    folder = _run(nsynth, tmp_path, f"--model.init_args.checkpoint={pretrained}", "--data.target_len=null")
    written = json.loads((folder / "metrics.json").read_text())
    assert (written["sample_rate"], written["segment_samples"]) == (8000, 243)
    assert written["clips"] == 6
    kept, before = checkpoint.pretrained(folder / "last.ckpt"), checkpoint.pretrained(pretrained)
    for name, value in before.state_dict().items():
        assert torch.equal(kept.state_dict()[name], value), name  # not calibrated either


def test_an_encoder_that_contradicts_the_checkpoint_is_refused(here, nsynth, tmp_path, pretrained):
    with pytest.raises(UserError, match=r"(?s)holds another encoder.*out: 8 in the checkpoint, 16 given"):
        _run(
            nsynth,
            tmp_path,
            f"--model.init_args.checkpoint={pretrained}",
            *ENCODER[:3],
            *ENCODER[4:],
            "--model.init_args.encoder.init_args.out=16",
        )
    with pytest.raises(UserError, match=r"target_sr=16000: the encoder takes 8000 Hz"):
        _run(nsynth, tmp_path, f"--model.init_args.checkpoint={pretrained}", "--data.target_sr=16000")


def test_calibration_hears_training_files_without_labels_too_and_no_copy_of_a_test_file(
    tones, tmp_path, register, write_wav
):
    root, path, split = tones
    for name in path:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    test = [name for name, part in zip(path, split, strict=True) if part == "test"]
    shutil.copy(tmp_path / test[0], tmp_path / "train" / "copy.wav")  # without a label, so that nobody trains on it
    labels = np.eye(2, dtype=np.float32)[np.arange(len(path) + 1) % 2]
    labels[-1] = np.nan
    labels[0] = np.nan
    table = Table.build(tmp_path, [*path, "train/copy.wav"], [*split, "train"], labels)
    name = register(table, Task("copied", "multiclass", ("a", "b")))
    data = TaskDataModule(name, num_workers=0, target_sr=8000, target_len=0.02)
    assert sum(map(len, data.calibration())) == 24  # one of them without a label
    data = TaskDataModule(name, num_workers=0, target_sr=8000, target_len=0.02, leak_check="off")
    assert sum(map(len, data.calibration())) == 25
