"""Transcription: it begins at the base rate, learns, and is judged on every frame of whole recordings."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from commandline import command, own_logging  # noqa: F401
from quiet import quiet_trainer
from sklearn.metrics import average_precision_score, f1_score
from torch import nn

from semisupcon import checkpoint
from semisupcon.augment.registry import TRANSFORMS
from semisupcon.batch import to_float
from semisupcon.datasets import musicnet
from semisupcon.datasets.synth.musicnet import write_musicnet
from semisupcon.downstream import binned
from semisupcon.downstream.callbacks import KeepBest
from semisupcon.downstream.cli import Evaluate
from semisupcon.downstream.datamodule import TaskDataModule
from semisupcon.downstream.plots import roll_picture
from semisupcon.downstream.rolls import roll
from semisupcon.downstream.transcription import Transcribe
from semisupcon.encoders.base import Encoder
from semisupcon.errors import UserError
from semisupcon.table import Table, Task

CPU = torch.device("cpu")
RATE = 8000


class Spectrum(Encoder):
    """Frames of log magnitudes up to 1.5 kHz, through a layer that can be trained."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.sample_rate, self.dim, self.receptive_field, self.hop = RATE, 384, 2048, 400
        self.register_buffer("window", torch.hann_window(2048))
        self.norm = nn.BatchNorm1d(384)
        self.drop = nn.Dropout(dropout)

    def frames(self, audio):
        windows = self.padded(audio)[:, 0].unfold(-1, 2048, 400) * self.window
        heard = (torch.fft.rfft(windows).abs()[..., :384] + 1e-3).log()
        return self.drop(self.norm(heard.transpose(1, 2)).transpose(1, 2))

    def forward(self, audio):
        return self.frames(audio).mean(dim=1)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return write_musicnet(tmp_path_factory.mktemp("musicnet"), recordings=(12, 3), seconds=8, seed=1)


@pytest.fixture
def data(corpus):
    return _data(corpus)


def _data(root, **options):
    given = {"target_len": 1.5, "batch_size": 8, "num_workers": 0, "leak_check": "off", **options}
    module = TaskDataModule("musicnet", {"root": str(root)}, **given)
    module.fit_encoder(RATE, None)
    return module


def _model(lr=0.01, **options):
    torch.manual_seed(0)
    options = {"encoder": Spectrum(), **options}
    return Transcribe(optimizer=lambda parameters: torch.optim.Adam(parameters, lr), **options)


def _fit(model, data, epochs, *callbacks):
    trainer = quiet_trainer(max_epochs=epochs, callbacks=list(callbacks))
    trainer.fit(model, **model.begin(data, CPU))
    return trainer


def _whole(model, data, split):
    """Scores and truth of every frame, each recording in one go: (L, 11, 128) of each."""
    model.eval()
    scores, truth = [], []
    for row in data.rows()[split].tolist():
        audio = torch.from_numpy(data.reader.whole(row))[None, None].float() / 32768
        with torch.no_grad():
            scores.append(model.head(model.encoder.frames(audio)[0]).view(-1, 11, 128))
        (name,) = data.names(torch.tensor([row]))
        moments = model.encoder.frame_centres(len(scores[-1])).numpy() / RATE
        truth.append(torch.from_numpy(roll(data.task.notes.read(name), musicnet.PROGRAMS, moments)))
    return scores, truth


def test_training_begins_at_the_base_rate(data):
    model = _model()
    model.begin(data, CPU)
    model.eval()
    scores, _ = _whole(model, data, "train")
    assert all(torch.equal(frame, scores[0][0]) for recording in scores for frame in recording)
    _, truth = _whole(model, data, "train")
    rate = torch.cat(truth).float().mean(dim=0)
    heard = rate > 0.01
    torch.testing.assert_close(scores[0][0].sigmoid()[heard], rate[heard], rtol=0.15, atol=0.003)
    silent = scores[0][0][~torch.cat(truth).any(dim=0)]
    assert silent.isfinite().all()
    assert float(silent.quantile(0.5)) < -7  # half a frame of all there are


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_encoder_is_not_changed_by_a_bit_and_a_tuned_one_is(data, frozen):
    model = _model(encoder=Spectrum(dropout=0.3), frozen=frozen)
    model.begin(data, CPU)
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    _fit(model, data, 1)
    same = {name for name, value in model.encoder.state_dict().items() if torch.equal(value, before[name])}
    assert same == (set(before) if frozen else {"window"})
    assert any(parameter.requires_grad for parameter in model.encoder.parameters()) != frozen
    model.train()
    assert model.encoder.training != frozen
    assert model.head.training
    assert len(list(model.trained().parameters())) == (2 if frozen else 4)


@pytest.fixture(scope="module")
def told(corpus, tmp_path_factory):
    """A model that has learnt, its data, and the folder of its report."""
    data, model, folder = _data(corpus), _model(), tmp_path_factory.mktemp("report")
    best = KeepBest()
    trainer = _fit(model, data, 6, best)
    model.report(data, folder, lambda tested: {"tested": tested})
    return model, data, folder, {**trainer.callback_metrics, "best": best.best}


def test_it_is_clearly_above_the_base_rate_on_recordings_that_it_does_not_know(told):
    content = json.loads((told[2] / "metrics.json").read_text())
    for name in ("ap", "f1", "note_ap", "note_f1"):
        found, base = content["test"][name], content["base_rate"][name]
        assert found["value"] > 2 * base["value"], name
        assert base["high"] < found["value"]


def test_the_report_says_what_every_frame_of_the_whole_recordings_says(told):
    model, data, folder, _ = told
    content = json.loads((folder / "metrics.json").read_text())
    scores, truth = _whole(model, data, "test")
    every, sounding = torch.cat(scores).numpy(), torch.cat(truth).numpy()
    found = {name: entry["value"] for name, entry in content["test"].items()}
    assert content["frames"] == len(every)
    assert (content["clips"], content["tested"], content["main"], content["task"]) == (3, 3, "ap", "musicnet notes")
    assert found["ap"] == pytest.approx(average_precision_score(sounding.ravel(), every.ravel()), abs=2e-3)
    notes = average_precision_score(sounding.any(axis=1).ravel(), every.max(axis=1).ravel())
    assert found["note_ap"] == pytest.approx(notes, abs=2e-3)
    logit = np.log(content["threshold"] / (1 - content["threshold"]))
    assert found["f1"] == pytest.approx(f1_score(sounding.ravel(), every.ravel() >= logit), abs=2e-3)
    with (folder / "per_instrument.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["instrument"] for row in rows] == list(musicnet.INSTRUMENTS.values())
    assert [int(row["sounding"]) for row in rows] == sounding.sum(axis=(0, 2)).tolist()
    assert sum(int(row["predicted"]) for row in rows) == pytest.approx((every >= logit).sum(), rel=0.01)
    assert rows[1]["ap"] == ""  # no harpsichord plays
    piano = average_precision_score(sounding[:, 0].ravel(), every[:, 0].ravel())
    assert float(rows[0]["ap"]) == pytest.approx(piano, abs=5e-3)
    wanted = average_precision_score(sounding.ravel(), np.broadcast_to(model.base.numpy(), every.shape).ravel())
    assert content["base_rate"]["ap"]["value"] == pytest.approx(wanted, abs=2e-3)


def test_validation_is_of_every_frame_and_decides_the_thresholds(told):
    model, data, _, logged = told
    scores, truth = _whole(model, data, "val")  # of the best epoch, whose weights were put back
    counts = binned.tally(binned.bins(torch.cat(scores)), torch.cat(truth)).numpy()
    assert abs(int(model.cut.bins[0]) - binned.best_threshold(counts[:-1].sum(axis=0))) <= 2
    assert abs(int(model.cut.bins[1]) - binned.best_threshold(counts[-1])) <= 2
    nats = nn.functional.binary_cross_entropy_with_logits(torch.cat(scores), torch.cat(truth).float(), reduction="none")
    assert logged["best"] == pytest.approx(float(nats.sum(dim=(1, 2)).mean()), rel=1e-3)
    assert 0 < float(logged["val/ap"]) <= 1


def test_the_notes_that_are_written_are_those_predicted(told):
    model, data, folder, _ = told
    threshold = int(model.cut.bins[0])
    scores, _ = _whole(model, data, "test")
    for row, mine in zip(data.rows()["test"].tolist(), scores, strict=True):
        (name,) = data.names(torch.tensor([row]))
        file = (folder / "transcriptions" / name).with_suffix(".csv")
        root = folder / "as_corpus"
        (root / "test_labels").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / "test_labels" / file.name)
        moments = model.encoder.frame_centres(len(mine)).numpy() / RATE
        found = roll(musicnet.notes(root, file.name), musicnet.PROGRAMS, moments)
        wrong = found != (binned.bins(mine) >= threshold).numpy()
        assert found.any()
        assert wrong.mean() < 1e-5  # a score on the very edge, computed in another order
    assert (folder / "transcription.png").stat().st_size > 10_000


def test_a_recording_without_audio_is_left_out_of_the_test_and_named(corpus, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(corpus, root)
    tests = sorted((root / "test_data").glob("*.wav"))
    tests[0].write_bytes(b"RIFF")
    data, model = _data(root), _model()
    model.begin(data, CPU)
    model.report(data, tmp_path, lambda tested: {"tested": tested})
    assert json.loads((tmp_path / "metrics.json").read_text())["tested"] == len(tests) - 1
    assert list(data.bad.found) == [str(tests[0])]
    for path in tests[1:]:
        path.write_bytes(b"RIFF")
    data = _data(root)
    with pytest.raises(UserError, match="none of the test clips could be read"):
        model.report(data, tmp_path, lambda tested: {})


@pytest.mark.parametrize(("frozen", "readable"), [(True, 0), (False, 0), (False, 1)])
def test_a_batch_with_too_few_readable_crops_has_no_loss_but_a_gradient(corpus, frozen, readable):
    data, model = _data(corpus, target_len=2048 / RATE), _model(frozen=frozen)  # a frame a window, as BatchNorm fears
    model.begin(data, CPU)
    crops, _ = data.frames
    batch = crops[next(iter(data.train_dataloader().sampler))]
    few = type(batch)(*(getattr(batch, name)[:readable] for name in ("audio", "labels", "labelled", "file", "draw")))
    loss = model.training_step(few.with_audio(to_float(few.audio)), 0)
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(float(each.grad.abs().sum()) == 0 for each in model.trained().parameters())


def test_a_batch_of_one_is_refused_where_the_encoder_is_trained(corpus):
    data = _data(corpus, batch_size=1)
    with pytest.raises(UserError, match=r"--data.batch_size=1: fine-tuning needs at least 2"):
        _model(frozen=False).check(data)
    _model().check(data)


def test_the_codec_acts_on_the_crops_and_leaves_their_notes(corpus):
    data, model = _data(corpus, aug_list=["mp3"], aug_severity=5), _model()
    model.begin(data, CPU)
    crops, _ = data.frames
    batch, plain = next(iter(data.train_dataloader())), crops[next(iter(data.train_dataloader().sampler))]
    assert torch.equal(batch.labels, plain.labels)
    assert torch.equal(batch.file, plain.file)
    changed = (batch.audio != plain.audio).flatten(1).any(dim=1)
    assert changed.sum() > len(batch) / 2
    apart = (batch.audio.float() - plain.audio.float())[changed].std() / plain.audio[changed].float().std()
    assert apart < 0.5  # the sound is still that of the notes


def test_late_fusion_is_refused_whatever_the_encoder():
    with pytest.raises(UserError, match="fusion=late: transcription has one head"):
        _model(fusion="late")


def test_what_cannot_be_transcribed_is_refused_before_anything_is_written(tones, register, corpus, tiny_encoder):
    root, path, split = tones
    register(Table.build(root, path, split, np.eye(3)[[0] * len(path)]), Task("tone", "multiclass", ("a", "b", "c")))
    plain = TaskDataModule("tone", target_len=0.3, num_workers=0)
    plain.fit_encoder(RATE, None)
    with pytest.raises(UserError, match=r"tone has no notes: transcription needs .*musicnet"):
        _model().check(plain)

    class Whole(Spectrum):
        frames = Encoder.frames

    with pytest.raises(UserError, match="Whole embeds a whole clip and has no frames"):
        _model(encoder=Whole()).check(_data(corpus))


@pytest.mark.parametrize("name", ["pitch_shift", "timestretch", "reverse", "splice"])
def test_augmentations_that_move_notes_are_refused(corpus, name):
    spoiling = type(TRANSFORMS[name]()).__name__
    with pytest.raises(UserError, match=f"--data.aug_list: {spoiling} would play other notes .* or at other times"):
        _model().check(_data(corpus, aug_list=["gain", name]))
    _model().check(_data(corpus, aug_list=["gain", name], aug_severity=0))


def test_echoes_leave_the_notes_where_they_are(corpus):
    _model().check(_data(corpus, aug_list=["gain", "delay", "reverb"]))


def test_an_encoder_with_coarse_frames_is_warned_of(corpus, tiny_encoder, caplog):
    _model().check(_data(corpus))
    assert not caplog.text
    _model(encoder=tiny_encoder(channels=[4] * 6)).check(_data(corpus))  # 2,187 samples
    assert "SampleCNN has a frame every 0.27 s" in caplog.text


def test_training_that_diverges_is_said(data):
    model = _model(lr=1e30, frozen=False)
    with pytest.raises(UserError, match="Training has diverged"):
        _fit(model, data, 2)


SMALL = (
    "--config=config/finetuning/transcribe.yaml",
    "--model.encoder=semisupcon.encoders.CPC",
    "--model.encoder.init_args.channels=8",
    "--model.encoder.init_args.dim=8",
    "--data.target_len=1.28",
    "--data.num_workers=0",
    "--data.leak_check=off",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
)


def test_the_command_writes_the_report(command, corpus, tmp_path):  # noqa: F811
    given = [*SMALL, f"--data.sl_kwargs.root={corpus}", f"--ckpt_path={tmp_path}"]
    status, text = command("finetune.py", *given, "--trainer.max_epochs=1", "--run_name=a")
    assert status == 0, text
    run = tmp_path / "a"
    assert {each.name for each in run.iterdir()} >= {
        *("metrics.json", "per_instrument.csv", "transcription.png", "transcriptions", "best.ckpt", "split.csv"),
    }
    content = json.loads((run / "metrics.json").read_text())
    assert content["protocol"] == "every frame of whole recordings"
    assert (content["frozen"], content["untrained"], content["epochs"]) == (True, True, 1)
    assert "recordings to train on" in text
    assert "musicnet notes, test" in text


@pytest.mark.slow
def test_a_tuned_run_goes_on_where_it_was_and_its_checkpoint_is_an_encoder(command, corpus, tmp_path):  # noqa: F811
    given = [*SMALL, f"--data.sl_kwargs.root={corpus}", f"--ckpt_path={tmp_path}"]
    tuned = [*given, "--model.frozen=false", "--data.batch_size=4"]
    for name, epochs in (("whole", 2), ("parts", 1)):
        status, text = command("finetune.py", *tuned, f"--trainer.max_epochs={epochs}", f"--run_name={name}")
        assert status == 0, text
    resumed = [f"--resume_from_ckpt={tmp_path / 'parts' / 'last.ckpt'}", "--trainer.max_epochs=2"]
    status, text = command("finetune.py", *resumed)
    assert status == 0, text
    one, other = (checkpoint.load(tmp_path / name / "last.ckpt")["state_dict"] for name in ("whole", "parts"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    found, again = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("whole", "parts"))
    assert found["test"] == again["test"]
    assert checkpoint.pretrained(tmp_path / "whole" / "last.ckpt").dim == 8
    frozen = [f"--model.checkpoint={tmp_path / 'whole' / 'last.ckpt'}", "--trainer.max_epochs=1", "--run_name=b"]
    args = [each for each in given if "encoder" not in each and "target_len" not in each]
    status, text = command("finetune.py", *args, *frozen)
    assert status == 0, text
    content = json.loads((tmp_path / "b" / "metrics.json").read_text())
    assert (content["frozen"], content["untrained"], content["segment_samples"]) == (True, False, 20480)


def test_a_picture_of_nothing_and_of_all_instruments_is_drawn(tmp_path):
    silent = np.zeros((20, 11, 128), bool)
    played = silent.copy()
    played[5:10, range(11), range(40, 62, 2)] = True
    for number, (truth, predicted) in enumerate([(silent, silent), (silent, played), (played, silent)]):
        path = tmp_path / f"{number}.png"
        roll_picture(truth, predicted, 0.01, list(musicnet.INSTRUMENTS.values()), path)
        assert path.stat().st_size > 5_000


@pytest.mark.slow
def test_a_context_network_learns_to_transcribe(corpus, tmp_path, own_logging):  # noqa: F811
    root = write_musicnet(tmp_path / "music", recordings=(30, 6), seconds=15, seed=3)
    options = [each.replace("channels=8", "channels=64").replace("dim=8", "dim=128") for each in SMALL]
    run = ["--model.frozen=false", "--trainer.max_epochs=20", f"--ckpt_path={tmp_path}", "--run_name=run"]
    Evaluate([*options, f"--data.sl_kwargs.root={root}", "--data.batch_size=8", *run]).run_command()
    content = json.loads((tmp_path / "run" / "metrics.json").read_text())
    for name in ("ap", "f1"):
        assert content["test"][name]["value"] > 1.5 * content["base_rate"][name]["value"]
