"""A checkpoint gives back the very encoder it was written with, and says in words where it cannot."""

import pickle

import pytest
import torch

from semisupcon import checkpoint
from semisupcon.checkpoint import check_same, describe, load, pretrained, restored, untrained, view_samples
from semisupcon.encoders import MFCC, Concat
from semisupcon.errors import UserError


@pytest.fixture
def saved(tmp_path, tiny_encoder):
    """A function that writes a checkpoint like a training run's, changed by what it is given."""

    def save(name="last.ckpt", encoder=None, **changes):
        encoder = encoder or _trained(tiny_encoder(1))
        state = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
        content = {
            "state_dict": {**state, "projection.weight": torch.zeros(2)},
            checkpoint.KEY: describe(encoder, 486),
            "global_step": 7,
            **changes,
        }
        torch.save({key: value for key, value in content.items() if value is not None}, tmp_path / name)
        return tmp_path / name

    return save


def _trained(encoder):
    """With statistics of its own, as after training."""
    with torch.no_grad():
        encoder.train()(torch.randn(4, 1, 486))
    return encoder


def test_weights_and_statistics_come_back_to_the_last_bit(saved, tiny_encoder):
    before = _trained(tiny_encoder(1))
    found = pretrained(saved(encoder=before))
    assert found.spec == before.spec
    assert not found.training
    assert list(found.state_dict()) == list(before.state_dict())
    for name, value in before.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name
    sound = torch.randn(3, 1, 500)
    assert torch.equal(found(sound), before.eval()(sound))


def test_it_says_how_long_the_views_were_that_it_was_trained_on(saved):
    assert view_samples(saved()) == 486
    assert view_samples(saved("old.ckpt", **{checkpoint.KEY: None})) is None


def _cut(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_checkpoint_cut_off_anywhere_is_refused_with_its_size(saved, share):
    path = saved()
    _cut(path, share)
    with pytest.raises(UserError, match=rf"last.ckpt: cannot be read as a checkpoint \({path.stat().st_size:,} bytes"):
        pretrained(path)


@pytest.mark.parametrize(
    "content",
    [
        *(f"{letter}eed: 0\n".encode() for letter in "abcdefghijklmnopqrstuvwxyz#}]("),
        b"\x00" * 500,
        b"\x80\x02}q\x00.",
        b"PK\x03\x04 is no zip",
        b"\x93NUMPY\x01\x00",
    ],
)
def test_other_files_are_no_checkpoints(tmp_path, content):
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"config.yaml: (cannot be read as a checkpoint|is no checkpoint)"):
        pretrained(tmp_path / "config.yaml")


def test_a_folder_and_a_missing_file_are_told_apart(saved, tmp_path):
    saved()
    saved("step-0000010.ckpt")
    with pytest.raises(UserError, match=r"It is a folder; its checkpoints are: last.ckpt, step-0000010.ckpt"):
        pretrained(tmp_path)
    with pytest.raises(UserError, match=r"nowhere.ckpt: no such checkpoint file\.$"):
        pretrained(tmp_path / "nowhere.ckpt")


def test_tensors_of_somebody_else_are_no_training_run(tmp_path, saved):
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match="no state_dict in it"):
        pretrained(tmp_path / "weights.pt")
    with pytest.raises(UserError, match="does not say what encoder it holds"):
        pretrained(saved(**{checkpoint.KEY: None}))


class Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        import os

        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_refused_and_not_run(saved, tmp_path, zipped):
    path, trace = tmp_path / "evil.ckpt", tmp_path / "was-run"
    content = {"state_dict": {}, checkpoint.KEY: {}, "callbacks": Attack(f"touch {trace}")}
    if zipped:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    for read in (load, pretrained, view_samples):
        with pytest.raises(UserError, match="hold more than weights and plain values"):
            read(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("class_path", "said"),
    [
        ("torch.nn.Linear", "not a subclass of semisupcon.encoders.base.Encoder"),
        ("os.system", "not a subclass of"),
        ("semisupcon.encoders.samplecnn.SimpleCNN", "cannot be imported"),
        ("nothing", "cannot be imported"),
    ],
)
def test_only_encoders_are_built(saved, class_path, said):
    path = saved(**{checkpoint.KEY: {"encoder": {"class_path": class_path, "init_args": {}}}})
    with pytest.raises(UserError, match=said):
        pretrained(path)


@pytest.mark.parametrize("entry", [{}, "text", {"encoder": None}, {"encoder": {"init_args": {}}}, {"encoder": "x"}, 3])
def test_an_entry_that_describes_no_encoder_is_refused(saved, tiny_encoder, entry):
    path = saved(**{checkpoint.KEY: entry})
    with pytest.raises(UserError, match=r"last.ckpt"):
        pretrained(path)
    with pytest.raises(UserError, match=r"last.ckpt"):
        check_same(path, tiny_encoder())


def test_weights_that_do_not_fit_are_listed(saved, tiny_encoder):
    # loaded with strict=False, and trained on as if nothing were, in earlier implementations
    state = {f"encoder.{key}": value for key, value in tiny_encoder().state_dict().items()}
    del state["encoder.layers.0.0.weight"]
    state["encoder.layers.9.weight"] = torch.zeros(3)
    state["encoder.layers.1.0.weight"] = torch.zeros(8, 8, 5)
    with pytest.raises(UserError) as error:
        pretrained(saved(state_dict=state))
    lines = str(error.value).splitlines()
    assert lines[0].endswith("last.ckpt: its weights do not fit SampleCNN (3 differences):")
    assert lines[1:] == [
        "  missing: layers.0.0.weight",
        "  not in the encoder: layers.9.weight",
        "  other shape: layers.1.0.weight is (8, 8, 5), the encoder has (8, 8, 3)",
    ]


def test_a_long_list_of_differences_stays_on_one_screen(saved):
    with pytest.raises(UserError) as error:
        pretrained(saved(state_dict={}))
    lines = str(error.value).splitlines()
    assert len(lines) == 14
    assert lines[-1].startswith("  ... and ")


def test_an_encoder_given_beside_a_checkpoint_must_be_the_same(saved, tiny_encoder):
    path = saved()
    check_same(path, tiny_encoder(5))  # other weights, same encoder
    with pytest.raises(UserError) as error:
        check_same(path, tiny_encoder(sample_rate=16000, out=16))
    assert str(error.value).splitlines()[1:3] == [
        "  sample_rate: 8000 in the checkpoint, 16000 given",
        "  out: 8 in the checkpoint, 16 given",
    ]
    other = saved("other.ckpt", **{checkpoint.KEY: {"encoder": {"class_path": "some.Other", "init_args": {}}}})
    with pytest.raises(UserError, match=r"class_path: some.Other in the checkpoint, semisupcon\S+SampleCNN given"):
        check_same(other, tiny_encoder())


def test_a_checkpoint_holds_plain_values_only(saved):
    assert torch.load(saved(), weights_only=True)[checkpoint.KEY]["samples"] == 486


def test_an_encoder_knows_the_checkpoint_that_its_weights_came_from(saved):
    path = saved()
    assert pretrained(path).origin == (str(path), 486, ())
    assert untrained(path).origin is None


def test_a_checkpoint_names_all_those_that_its_weights_went_through(saved, tiny_encoder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved("left.ckpt", tiny_encoder(1))
    saved("right.ckpt", tiny_encoder(2, out=5))
    both, _ = restored(["left.ckpt", "right.ckpt"])
    saved("both.ckpt", both)
    tuned = saved("tuned.ckpt", Concat([pretrained("both.ckpt"), pretrained("left.ckpt")]))
    monkeypatch.chdir("/")  # who asks may be elsewhere
    names = [str(tmp_path / f"{name}.ckpt") for name in ("both", "left", "right")]
    assert torch.load(tuned, weights_only=True)[checkpoint.KEY]["origins"] == names
    assert pretrained(tuned).origin == (str(tuned), 486, tuple(names))
    assert describe(untrained(tuned), 486)["origins"] == []
    older = load(tuned)
    del older[checkpoint.KEY]["origins"]
    assert pretrained(tuned, older).origin == (str(tuned), 486, ())


def test_untrained_is_the_architecture_with_weights_by_the_seed(saved):
    path = saved()
    torch.manual_seed(5)
    one, other = untrained(path), untrained(path)
    torch.manual_seed(5)
    again = untrained(path)
    assert one.spec == pretrained(path).spec
    weights = [encoder.layers[0][0].weight for encoder in (one, other, again, pretrained(path))]
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[3])


def test_several_checkpoints_are_their_encoders_side_by_side(saved, tiny_encoder):
    left, right = tiny_encoder(1), tiny_encoder(2, out=5)
    paths = [str(saved("left.ckpt", left)), str(saved("right.ckpt", right, **{checkpoint.KEY: describe(right, 500)}))]
    both, samples = restored(paths)
    assert isinstance(both, Concat)
    assert (both.parts, samples) == ([8, 5], 500)
    assert [origin.checkpoint for origin in both.origins()] == paths
    sound = torch.randn(3, 1, 500)
    assert torch.equal(both(sound), torch.cat([left.eval()(sound), right.eval()(sound)], dim=1))
    fresh, samples = restored(paths, fresh=True)
    assert (fresh.spec, fresh.origins(), samples) == (both.spec, [], 500)
    one, samples = restored(paths[:1])
    assert (one.spec, samples) == (left.spec, 486)


def test_a_list_of_no_checkpoints_is_refused_by_its_option():
    with pytest.raises(UserError, match=r"--model.checkpoint=\[\]: names no checkpoint"):
        restored([])


def test_a_concatenation_in_a_checkpoint_needs_no_other_file(saved, tiny_encoder):
    paths = [saved("left.ckpt", tiny_encoder(1)), saved("right.ckpt", tiny_encoder(2, out=5))]
    both, _ = restored([str(path) for path in paths])
    kept = saved("both.ckpt", both)
    for path in paths:
        path.unlink()
    sound = torch.randn(2, 1, 300)
    assert torch.equal(pretrained(kept)(sound), both.eval()(sound))
    assert [origin.checkpoint for origin in pretrained(kept).origins()] == [str(kept)]


def test_an_encoder_given_beside_several_checkpoints_must_be_theirs(saved, tiny_encoder):
    paths = [str(saved("left.ckpt", tiny_encoder(1))), str(saved("right.ckpt", tiny_encoder(2, out=5)))]
    restored(paths, Concat([tiny_encoder(3), tiny_encoder(4, out=5)]))
    with pytest.raises(UserError, match=r"(?s)right.ckpt: holds another encoder.*out: 5 in the checkpoint, 8 given"):
        restored(paths, Concat([tiny_encoder(3), tiny_encoder(4)]))
    for other in (tiny_encoder(), Concat([tiny_encoder()])):
        with pytest.raises(UserError, match="holds another encoder than the one given"):
            restored(paths, other)


def test_checkpoints_of_different_sample_rates_are_refused(saved, tiny_encoder):
    paths = [str(saved("left.ckpt", tiny_encoder(1))), str(saved("right.ckpt", MFCC(16000)))]
    with pytest.raises(UserError, match="one sample rate, but found SampleCNN 8000 Hz, MFCC 16000 Hz"):
        restored(paths)
