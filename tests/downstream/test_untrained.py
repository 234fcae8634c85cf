"""The baseline to beat: the architecture of a checkpoint with fresh weights, calibrated, on the same segments."""

import csv
import json

import pytest
import torch

from semisupcon import checkpoint
from semisupcon.downstream.cli import Evaluate
from semisupcon.downstream.embed import calibrate, fresh_norms
from semisupcon.downstream.finetune import FineTune
from semisupcon.downstream.probe import Probe
from semisupcon.encoders import MFCC, Concat
from semisupcon.encoders.base import Origin

CPU = torch.device("cpu")


@pytest.fixture
def here(monkeypatch, request):
    """The repository, where the configs are."""
    monkeypatch.chdir(request.config.rootpath)


@pytest.fixture
def trained(tiny_encoder, nsynth, tmp_path):
    """A checkpoint of views of 243 samples, by whose split.csv it was trained on all test files."""
    (tmp_path / "pretrain").mkdir()
    encoder = tiny_encoder(3)
    with torch.no_grad():
        encoder.train()(torch.randn(8, 1, 243))
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    path = tmp_path / "pretrain" / "last.ckpt"
    torch.save({"state_dict": state, checkpoint.KEY: checkpoint.describe(encoder, 243)}, path)
    tested = sorted((nsynth / "nsynth-test" / "audio").iterdir())
    with (path.parent / "split.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("corpus", "path", "use"), *(("", str(each), "unlabelled") for each in tested)])
    return path


def run(nsynth, tmp_path, *more, config="probe", name="run"):
    command = Evaluate(
        [
            f"--config=config/finetuning/{config}.yaml",
            *("--data.sl_task=nsynth_instr_family", f"--data.sl_kwargs.root={nsynth}", "--data.num_workers=0"),
            *("--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
            *(f"--ckpt_path={tmp_path}", f"--run_name={name}", *more),
        ]
    )
    command.run_command()
    return command, json.loads((command.folder / "metrics.json").read_text())


def first_weight(path):
    return checkpoint.pretrained(path).layers[0][0].weight


def test_it_is_the_same_architecture_on_the_same_segments_with_weights_by_the_seed(here, nsynth, trained, tmp_path):
    options = [f"--model.checkpoint={trained}", "--model.untrained=true"]
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        _, written = run(nsynth, tmp_path, *options, f"--seed_everything={seed}", name=name)
        assert (written["checkpoint"], written["untrained"]) == (str(trained), True)
        assert (written["segment_samples"], written["sample_rate"]) == (243, 8000)
        assert written["encoder"] == checkpoint.pretrained(trained).spec
    one, again, other = (first_weight(tmp_path / name / "last.ckpt") for name in ("one", "again", "other"))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert not torch.equal(one, first_weight(trained))


def test_the_same_encoder_given_by_its_options_is_the_same_baseline(here, nsynth, trained, tmp_path):
    run(nsynth, tmp_path, f"--model.checkpoint={trained}", "--model.untrained=true", name="by checkpoint")
    options = [
        f"--model.encoder.{name}={value}" for name, value in checkpoint.pretrained(trained).spec["init_args"].items()
    ]
    run(nsynth, tmp_path, "--model.encoder=SampleCNN", *options, f"--data.target_len={243 / 8000}", name="by options")
    one, other = (
        torch.load(tmp_path / f"by {name}" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("checkpoint", "options")
    )
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_it_is_calibrated_and_a_trained_one_is_not(here, nsynth, trained, tmp_path):
    for name, more in (("fresh", ["--model.untrained=true"]), ("kept", [])):
        run(nsynth, tmp_path, f"--model.checkpoint={trained}", *more, name=name)
    fresh, kept, before = (
        checkpoint.pretrained(path).layers[0][1]
        for path in (tmp_path / "fresh" / "last.ckpt", tmp_path / "kept" / "last.ckpt", trained)
    )
    assert torch.equal(kept.running_mean, before.running_mean)
    assert (fresh.running_var != 1).all()
    assert (fresh.running_mean != before.running_mean).all()


def test_a_trained_one_is_warned_of_and_an_untrained_one_has_seen_nothing(here, nsynth, trained, tmp_path, caplog):
    _, written = run(nsynth, tmp_path, f"--model.checkpoint={trained}", name="kept")
    assert (written["test_files_seen_in_pretraining"], written["untrained"]) == (6, False)
    assert f"the encoder of {trained} was trained on" in caplog.text
    caplog.clear()
    _, written = run(nsynth, tmp_path, f"--model.checkpoint={trained}", "--model.untrained=true", name="fresh")
    assert (written["test_files_seen_in_pretraining"], written["untrained"]) == (0, True)
    assert "was trained on" not in caplog.text


def test_without_a_checkpoint_the_report_says_untrained_too(here, nsynth, tmp_path):
    mfcc = ["--model.encoder=MFCC", "--model.encoder.sample_rate=8000", "--data.target_len=0.1"]
    options = ["--model.encoder.n_fft=256", "--model.encoder.n_mels=20"]
    _, written = run(nsynth, tmp_path, *mfcc, *options)
    assert (written["checkpoint"], written["untrained"]) == (None, True)


def test_several_untrained(trained):
    model = Probe(checkpoint=[str(trained), str(trained)], untrained=True)
    assert (model.encoder.parts, model.samples, model.sources) == ([8, 8], 243, [])
    one, other = (encoder.layers[0][0].weight for encoder in model.encoder.encoders)
    assert not torch.equal(one, other)


def test_pretrained_members_given_in_a_config_lose_their_weights_too(trained):
    both = Concat([checkpoint.pretrained(trained), MFCC(8000)])
    model = FineTune(encoder=both, untrained=True)
    assert (model.encoder.spec, model.samples, model.sources) == (both.spec, 243, [])
    assert not torch.equal(model.encoder.encoders[0].layers[0][0].weight, both.encoders[0].layers[0][0].weight)


def test_calibration_leaves_the_statistics_that_came_with_weights(tiny_encoder):
    known, fresh = tiny_encoder(0), tiny_encoder(1)
    known.origin = Origin("known.ckpt", None)
    both = Concat([known, fresh])
    assert fresh_norms(both) == fresh_norms(fresh)
    assert fresh_norms(known) == []
    before = {name: value.clone() for name, value in known.state_dict().items()}
    batch = torch.randn(16, 1, 243)
    calibrate(both, [batch], CPU)
    assert all(torch.equal(value, before[name]) for name, value in known.state_dict().items())
    alone = tiny_encoder(1)
    calibrate(alone, [batch], CPU)
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, alone.state_dict()[name]), name
    assert not any(module.training for module in both.modules())


def test_nothing_is_read_to_calibrate_what_needs_none(trained, nsynth):
    class Counted:
        reads = 0

        def calibration(self):
            self.reads += 1
            return [torch.randn(4, 1, 243)]

    data = Counted()
    Probe(checkpoint=str(trained)).calibrate(data, CPU)
    Probe(encoder=MFCC(8000)).calibrate(data, CPU)
    assert data.reads == 0
    Probe(checkpoint=str(trained), untrained=True).calibrate(data, CPU)
    assert data.reads == 1
