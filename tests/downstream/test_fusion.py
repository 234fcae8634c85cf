"""Several encoders on one task: side by side, or each with a head of its own and their scores averaged."""

import json
import math

import pytest
import torch
import yaml

from semisupcon import checkpoint
from semisupcon.downstream.cli import Evaluate
from semisupcon.downstream.fusion import LateFusion, head_for
from semisupcon.downstream.heads import Head
from semisupcon.downstream.probe import Probe
from semisupcon.encoders import Concat
from semisupcon.errors import UserError
from semisupcon.table import Task

NAN = math.nan
GENRE = Task("genre", "multiclass", ("a", "b", "c"))
TAGS = Task("tags", "multilabel", ("a", "b", "c"))
MOOD = Task("mood", "regression", ("arousal", "valence"))
PARTS = [2, 5, 3]


def labels(task, clips):
    torch.manual_seed(1)
    if task.exclusive:
        return torch.eye(3)[torch.randint(3, (clips,))]
    return torch.rand(clips, len(task.classes)).round() if task.kind == "multilabel" else torch.randn(clips, 2)


@pytest.fixture(params=[GENRE, TAGS, MOOD], ids=lambda task: task.name)
def task(request):
    return request.param


def fusion(task, **options):
    torch.manual_seed(0)
    return LateFusion(PARTS, task, **options)


def test_the_score_is_the_mean_of_the_heads_probabilities_or_predictions(task):
    head = fusion(task, kind="mlp", hidden=4)
    embedding = 3 * torch.randn(6, 10)
    for row, score in zip(embedding, head.requires_grad_(False)(embedding), strict=True):
        each = [h(part[None])[0] for h, part in zip(head.heads, row.split(PARTS), strict=True)]
        for k in range(len(task.classes)):
            if task is GENRE:
                wanted = sum(math.exp(s[k]) / sum(math.exp(x) for x in s) for s in each) / 3
                found = math.exp(score[k])
            elif task is TAGS:
                wanted = sum(1 / (1 + math.exp(-s[k])) for s in each) / 3
                found = 1 / (1 + math.exp(-score[k]))
            else:
                wanted, found = sum(float(s[k]) for s in each) / 3, float(score[k])
            assert found == pytest.approx(wanted, rel=1e-5)


def test_each_head_is_trained_by_its_own_loss_on_its_own_part(task):
    head, embedding, wanted = fusion(task), torch.randn(8, 10), labels(task, 8)
    head.fit_statistics(embedding, wanted)
    head.training_loss(embedding, wanted).backward()
    total = 0.0
    for number, part in enumerate(embedding.split(PARTS, dim=1)):
        alone = Head(PARTS[number], task)
        alone.load_state_dict(head.heads[number].state_dict())
        loss = alone.loss(alone(part), wanted)
        loss.backward()
        total += float(loss)
        for ours, theirs in zip(head.heads[number].parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, theirs.grad)
    assert float(head.training_loss(embedding, wanted)) == pytest.approx(total, rel=1e-6)


def test_one_head_alone_scores_as_it_would_without_fusion(task):
    torch.manual_seed(0)
    late = LateFusion([4], task)
    embedding, wanted = torch.randn(5, 4), labels(task, 5)
    found, alone = late(embedding), late.heads[0](embedding)
    if task is GENRE:
        alone = alone.log_softmax(dim=1)
    torch.testing.assert_close(found, alone)
    torch.testing.assert_close(late.loss(found, wanted), late.heads[0].loss(alone, wanted))


def test_the_validation_loss_is_that_of_the_averaged_probability():
    head, wanted = fusion(GENRE), labels(GENRE, 7)
    scores = head(torch.randn(7, 10))
    each = [-score[row.argmax()].item() for score, row in zip(scores, wanted, strict=True)]
    assert float(head.loss(scores, wanted)) == pytest.approx(sum(each) / 7, rel=1e-5)


@pytest.mark.parametrize("task", [GENRE, TAGS], ids=["genre", "tags"])
def test_heads_that_are_sure_stay_finite(task):
    head = LateFusion([1, 1], task)
    with torch.no_grad():
        for each in head.heads:
            each.layers[-1].weight.copy_(torch.tensor([[1.0], [-1.0], [0.0]]))
            each.layers[-1].bias.zero_()
    embedding = torch.tensor([[500.0, 500.0], [500.0, -500.0]], requires_grad=True)
    scores = head(embedding)
    assert scores.isfinite().all()
    head.loss(scores, torch.eye(3)[[0, 1]]).backward()
    assert embedding.grad.isfinite().all()
    if task is TAGS:  # one says surely yes, one surely no
        torch.testing.assert_close(scores[1], torch.zeros(3))


def test_statistics_are_taken_from_each_part(task):
    embedding, wanted = torch.randn(50, 10) * torch.arange(1, 11) + 7, labels(task, 50)
    head = fusion(task)
    head.fit_statistics(embedding, wanted)
    torch.testing.assert_close(torch.cat([each.mean for each in head.heads]), embedding.mean(dim=0))
    again = fusion(task)
    again.load_state_dict(head.state_dict())
    assert torch.equal(again(embedding), head(embedding))
    head.fit_statistics(None, wanted)  # fine-tuning: the targets alone
    torch.testing.assert_close(torch.cat([each.mean for each in head.heads]), embedding.mean(dim=0))


def test_late_fusion_needs_several_encoders(tiny_encoder):
    with pytest.raises(UserError, match=r"--model\.fusion=late: .* SampleCNN is a single one"):
        head_for(tiny_encoder(), GENRE, "late")
    with pytest.raises(UserError, match=r"--model\.fusion=late"):
        Probe(encoder=tiny_encoder(), fusion="late")
    both = Concat([tiny_encoder(), tiny_encoder(out=3)])
    assert head_for(both, GENRE, "late", kind="mlp", hidden=9).parts == [8, 3]
    assert isinstance(head_for(both, GENRE), Head)


# The command


@pytest.fixture
def here(monkeypatch, request):
    """The repository, where the configs are."""
    monkeypatch.chdir(request.config.rootpath)


@pytest.fixture
def pair(tiny_encoder, tmp_path):
    """Two checkpoints as pretraining writes them, of views of 243 and of 250 samples."""
    paths = []
    for number, samples in enumerate((243, 250)):
        encoder = tiny_encoder(number, out=8 - number)
        with torch.no_grad():
            encoder.train()(torch.randn(8, 1, samples))
        state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
        paths.append(tmp_path / f"{number}.ckpt")
        torch.save({"state_dict": state, checkpoint.KEY: checkpoint.describe(encoder, samples)}, paths[-1])
    return paths


def run(nsynth, tmp_path, *more, config="probe", name="run"):
    command = Evaluate(
        [
            f"--config=config/finetuning/{config}.yaml",
            *("--data.sl_task=nsynth_instr_family", f"--data.sl_kwargs.root={nsynth}", "--data.num_workers=0"),
            *("--trainer.max_epochs=4", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
            *("--model.optimizer.lr=0.05", f"--ckpt_path={tmp_path}", f"--run_name={name}", *more),
        ]
    )
    command.run_command()
    return command, json.loads((command.folder / "metrics.json").read_text())


@pytest.mark.parametrize("config", ["probe", "finetune"])
@pytest.mark.parametrize("fusion", ["concat", "late"])
def test_several_checkpoints_are_probed_and_fine_tuned_like_one(here, nsynth, pair, tmp_path, config, fusion):
    several = f"--model.checkpoint=[{pair[0]},{pair[1]}]"
    command, written = run(nsynth, tmp_path, several, f"--model.fusion={fusion}", config=config)
    assert written["checkpoint"] == [str(path) for path in pair]
    assert (written["untrained"], written["head"]["fusion"]) == (False, fusion)
    assert (written["segment_samples"], written["sample_rate"]) == (250, 8000)
    content = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert content[checkpoint.KEY]["head"]["fusion"] == fusion
    heads = {
        name.split(".layers")[0] for name in content["state_dict"] if name.startswith("head.") and "layers" in name
    }
    assert heads == ({"head"} if fusion == "concat" else {"head.heads.0", "head.heads.1"})
    for path in pair:
        path.unlink()
    kept = checkpoint.pretrained(tmp_path / "run" / "last.ckpt")
    assert kept.parts == [8, 7]
    assert kept.spec == command.model.encoder.spec


def test_a_probe_of_several_changes_none_of_them(here, nsynth, pair, tmp_path):
    before = [checkpoint.pretrained(path) for path in pair]
    run(nsynth, tmp_path, f"--model.checkpoint=[{pair[0]},{pair[1]}]")
    kept = checkpoint.pretrained(tmp_path / "run" / "last.ckpt")
    for encoder, wanted in zip(kept.encoders, before, strict=True):
        for name, value in wanted.state_dict().items():
            assert torch.equal(encoder.state_dict()[name], value), name


def test_pretrained_encoders_in_a_config(here, nsynth, pair, tmp_path):
    """One from its checkpoint, untouched; one beside it that is untrained, and calibrated."""
    encoders = [
        {"class_path": "semisupcon.checkpoint.pretrained", "init_args": {"path": str(pair[1])}},
        {
            "class_path": "semisupcon.encoders.SampleCNN",
            "init_args": {"sample_rate": 8000, "channels": [8, 8, 8, 8], "out": 5, "stem": 8},
        },
    ]
    encoder = {"class_path": "semisupcon.encoders.Concat", "init_args": {"encoders": encoders}}
    config = tmp_path / "both.yaml"
    config.write_text(yaml.safe_dump({"model": {"init_args": {"encoder": encoder}}}))
    command, written = run(nsynth, tmp_path, f"--config={config}", "--model.fusion=late")
    assert (written["untrained"], written["checkpoint"], written["segment_samples"]) == (False, None, 250)
    assert command.seen is None  # there is no split.csv beside the checkpoint
    pretrained = checkpoint.pretrained(pair[1])
    pair[1].unlink()
    kept = checkpoint.pretrained(tmp_path / "run" / "last.ckpt")
    assert kept.spec["init_args"]["encoders"][0] == pretrained.spec
    for name, value in pretrained.state_dict().items():
        assert torch.equal(kept.encoders[0].state_dict()[name], value), name
    assert kept.encoders[1].layers[0][1].num_batches_tracked == 1
    assert (kept.encoders[1].layers[0][1].running_var != 1).all()


def test_a_pretrained_encoder_on_the_command_line(here, nsynth, pair, tmp_path):
    one = ["--model.encoder=semisupcon.checkpoint.pretrained", f"--model.encoder.path={pair[0]}"]
    _, given = run(nsynth, tmp_path, *one, name="given")
    _, wanted = run(nsynth, tmp_path, f"--model.checkpoint={pair[0]}", name="wanted")
    assert given["encoder"] == wanted["encoder"]
    assert given["segment_samples"] == wanted["segment_samples"] == 243
    folders = [tmp_path / name / "last.ckpt" for name in ("given", "wanted")]
    one, other = (torch.load(path, weights_only=True)["state_dict"] for path in folders)
    for name, value in one.items():
        if name.startswith("encoder."):
            assert torch.equal(value, other[name]), name


def test_a_late_fusion_is_resumed(here, nsynth, pair, tmp_path):
    several = [f"--model.checkpoint=[{pair[0]},{pair[1]}]", "--model.fusion=late"]
    run(nsynth, tmp_path, *several, "--trainer.max_epochs=2", name="first")
    last = tmp_path / "first" / "last.ckpt"
    run(nsynth, tmp_path, *several, f"--resume_from_ckpt={last}", name="resumed")
    run(nsynth, tmp_path, *several, name="straight")
    one, other = (torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in ("resumed", "straight"))
    assert one["epoch"] == other["epoch"] == 4
    for name, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][name]), name


def test_what_cannot_go_together_is_refused_before_anything_is_written(here, nsynth, pair, tmp_path):
    with pytest.raises(UserError, match=r"fusion=late: .* SampleCNN is a single one"):
        run(nsynth, tmp_path, f"--model.checkpoint={pair[0]}", "--model.fusion=late")
    with pytest.raises(UserError, match=r"nowhere\.ckpt: no such checkpoint file"):
        run(nsynth, tmp_path, f"--model.checkpoint=[{pair[0]},{tmp_path}/nowhere.ckpt]")
    with pytest.raises(UserError, match="target_sr=16000: the encoder takes 8000 Hz"):
        run(nsynth, tmp_path, f"--model.checkpoint=[{pair[0]},{pair[1]}]", "--data.target_sr=16000")
    assert not (tmp_path / "run").exists()
