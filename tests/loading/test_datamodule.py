"""The data of a run as Lightning sees it: augmented in training only, seeded by batch, resumable, said in words."""

import logging
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningModule
from quiet import quiet_trainer

from semisupcon import audio
from semisupcon.augment import Gain, Mp3
from semisupcon.batch import Batch, to_float
from semisupcon.errors import UserError
from semisupcon.loading.augmented import step_seed
from semisupcon.loading.datamodule import MixedDataModule
from semisupcon.table import Table, Task


def _data(tones, register=None, **options):
    settings = {"data_dir": str(tones[0]), "target_sr": 8000, "target_len": 0.03, "batch_size": 8, "num_workers": 0}
    return MixedDataModule(**{**settings, "val_split": 0.25, "aug_list": ["gain", "polarity_inversion"], **options})


class Watch(LightningModule):
    """Keeps every batch that it is shown, as training on the device shows it."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.trained: list[Batch] = []
        self.validated: list[Batch] = []
        self.noise: list[float] = []

    def training_step(self, batch, batch_idx):
        self.trained.append(batch)
        self.noise.append(float(torch.rand(1)))  # as dropout would draw it
        return self.weight.sum()

    def validation_step(self, batch, batch_idx):
        self.validated.append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def _fit(data, steps, **options):
    model = Watch()
    quiet_trainer(max_steps=steps, **options).fit(model, datamodule=data)
    return model


def _file(data, batch, row):
    """The whole file of a batch's row, as float."""
    return torch.from_numpy(audio.read(str(data.pools.paths[batch.file[row]]), 8000)).float() / 32768


def _is_part(view, whole):
    return any(torch.equal(view, window) for window in whole.unfold(0, len(view), 1))


def test_training_is_augmented_and_validation_is_what_the_files_hold(tones):
    data = _data(tones)
    model = _fit(data, 5)
    assert len(model.trained) == 5  # 36 clips in batches of 8
    assert sum(len(batch) for batch in model.validated) == len(data.pools.val) == 12
    for batch in model.validated:
        assert (batch.audio.dtype, tuple(batch.audio.shape[1:])) == (torch.float32, (2, 1, 240))
        for row in range(len(batch)):
            assert _is_part(batch.audio[row, 0, 0], _file(data, batch, row))
    same = [_is_part(b.audio[row, 0, 0], _file(data, b, row)) for b in model.trained for row in range(len(b))]
    assert 0.1 < np.mean(same) < 0.9  # an example is augmented with probability 0.8, then by each with its own
    assert all(batch.audio.dtype == torch.float32 for batch in model.trained)


def test_without_augmentation_training_shows_the_files_as_well(tones):
    data = _data(tones, aug_list=[])
    for batch in _fit(data, 2).trained:
        assert all(_is_part(batch.audio[row, 1, 0], _file(data, batch, row)) for row in range(len(batch)))


def test_augmentation_and_dropout_are_decided_by_seed_and_step(tones):
    torch.manual_seed(1)
    one = _fit(_data(tones), 7)
    torch.manual_seed(2)
    other = _fit(_data(tones, num_workers=2), 7)
    for first, second in zip(one.trained, other.trained, strict=True):
        assert (first.step, first.file.tolist()) == (second.step, second.file.tolist())
        assert torch.equal(first.audio, second.audio)
    assert one.noise == other.noise
    assert len(set(one.noise)) == 7
    assert not torch.equal(_fit(_data(tones, seed=1), 1).trained[0].audio, one.trained[0].audio)


@pytest.mark.parametrize("at", [2, 5, 6])
def test_a_run_goes_on_where_its_state_says(tones, at):
    straight = _fit(_data(tones), 9)
    first = _data(tones)
    _fit(first, at)
    assert first.state_dict()["position"] == at
    resumed = _data(tones)
    resumed.load_state_dict(first.state_dict())
    found = _fit(resumed, 9 - at)
    assert [batch.step for batch in found.trained] == list(range(at, 9))
    for batch, wanted in zip(found.trained, straight.trained[at:], strict=True):
        assert batch.file.tolist() == wanted.file.tolist()
        assert torch.equal(batch.audio, wanted.audio)
    assert found.noise == straight.noise[at:]


def test_the_state_counts_what_was_trained_on_and_not_what_workers_have_read_ahead(tones):
    data = _data(tones, num_workers=2)
    _fit(data, 3)
    assert data.state_dict()["position"] == 3


def test_labels_reach_training_in_the_share_that_was_asked_for(tones, nsynth):
    labels = {"sl_task": "nsynth_instr_family", "sl_kwargs": {"root": str(nsynth)}}
    data = _data(tones, **labels, intrabatch_supervised_p=0.3)
    batches = _fit(data, 10).trained
    labelled = torch.cat([batch.labelled for batch in batches])
    assert labelled.sum() == 24  # 0.3 x 80
    known = ~torch.cat([batch.labels for batch in batches]).isnan()
    assert torch.equal(known.all(dim=1), labelled)
    assert torch.equal(known.any(dim=1), labelled)
    assert "b_s = 0.3: labelled clips in a batch of 8: 2 or 3, 2.4 on average" in data.describe()
    what = "12 labelled clips (nsynth_instr_family, 11 labels), 36 unlabelled clips, 18 clips to validate on"
    assert data.describe()[0] == f"nsynth_instr_family and {data.request.data_dir}: {what}"


def test_more_clips_a_batch_than_there_are_files_is_said(tones):
    assert any("only 36 files for a batch of 40" in line for line in _data(tones, batch_size=40).describe())
    assert not any("only" in line for line in _data(tones, batch_size=36).describe())


def test_a_folder_without_validation_trains(tones):
    model = _fit(_data(tones, val_split=0.0), 2)
    assert (len(model.trained), model.validated) == (2, [])


def test_a_crop_longer_than_every_file_is_said_with_the_longest(tones, caplog):
    caplog.set_level(logging.INFO)
    data = _data(tones, target_len=10.0)
    longest = max(audio.info(path).frames for path in tones[0].rglob("*.wav")) / 8000
    data.setup("fit")
    [warning] = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("target_len=10 s is longer than every file: the longest of 36 looked at has ")
    assert f"{longest:.3g} s" in warning  # val_split may hold the very longest back
    caplog.clear()
    _data(tones).setup("fit")
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_what_is_saved_beside_the_split(tones, tmp_path):
    said = _data(tones).save(tmp_path)
    assert (tmp_path / "split.csv").is_file()
    assert (said["labelled"], said["unlabelled"], said["val"], said["intrabatch_supervised_p"]) == (0, 36, 12, 0.0)
    assert said["split_sha256"] == _data(tones, seed=5).save(tmp_path)["split_sha256"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, "--data.batch_size=0: at least 2"),
        ({"views": 0}, "--data.views=0: at least 1"),
        ({"target_len": 0.0}, "--data.target_len=0.0: a length in seconds"),
        ({"target_sr": 0}, "--data.target_sr=0"),
        ({"aug_severity": 9}, "aug_severity=9"),
        ({"aug_list": ["echo"]}, "echo"),
    ],
)
def test_options_that_make_no_sense_are_refused_at_once(tones, options, said):
    with pytest.raises(UserError, match=said):
        _data(tones, **options)


def test_int16_travels_and_becomes_float_once(tones):
    data = _data(tones)
    batch = next(iter(data.train_dataloader()))
    assert batch.audio.dtype == torch.int16
    moved = data.on_after_batch_transfer(batch, 0)  # no trainer: no augmentation
    assert torch.equal(moved.audio, to_float(batch.audio))
    assert torch.equal(data.on_after_batch_transfer(moved, 0).audio, moved.audio)


def test_a_codec_at_the_head_of_the_chain_works_in_the_loading_processes_and_in_training_only(tones):
    data = _data(tones, aug_list=[Mp3(p=1.0), "polarity_inversion"], num_workers=2)
    plain = _data(tones, aug_list=[])
    for coded, whole in zip(_loaded(data.train_dataloader(), 3), _loaded(plain.train_dataloader(), 3), strict=True):
        assert coded.audio.dtype == torch.int16
        assert coded.file.tolist() == whole.file.tolist()
        share = (coded.audio != whole.audio).flatten(2).any(dim=2).float().mean()
        assert 0.4 < share < 1  # an example goes through with probability 0.8
    for shown, whole in zip(_loaded(data.val_dataloader(), 2), _loaded(plain.val_dataloader(), 2), strict=True):
        assert torch.equal(shown.audio, whole.audio)


def test_what_a_worker_draws_is_decided_by_seed_step_and_rank(tones):
    def shown(**options):
        return _fit(_data(tones, aug_list=["mp3", "gain"], **options), 6)

    one, other, reseeded = shown(), shown(num_workers=2), shown(seed=1)
    for first, second in zip(one.trained, other.trained, strict=True):
        assert torch.equal(first.audio, second.audio)
    assert one.noise == other.noise  # a worker's draws in the main process leave what dropout draws alone
    assert not torch.equal(one.trained[0].audio, reseeded.trained[0].audio)
    assert len({step_seed(0, 5, 0), step_seed(1, 5, 0), step_seed(0, 6, 0), step_seed(0, 5, 1)}) == 4
    assert step_seed(0, 5, 0, "head") != step_seed(0, 5, 0)


def test_the_same_examples_go_through_on_both_sides(tones):
    """Who is passed over by the chain comes out as it was, though one part is in a worker and one on the device."""
    data = _data(tones, aug_list=[Mp3(p=1.0), Gain((-6.0, -6.0), p=1.0)])
    plain = _fit(_data(tones, aug_list=[]), 5)
    kinds = set()
    for batch, whole in zip(_fit(data, 5).trained, plain.trained, strict=True):
        for view, source in zip(batch.audio.flatten(0, 2), whole.audio.flatten(0, 2), strict=True):
            same = torch.equal(view, source)
            softer = (view.norm() / source.norm()).item() == pytest.approx(0.5, abs=0.1)
            halved = torch.equal(view, source * 10 ** (-6 / 20))
            kinds.add((same, softer, halved))
    assert kinds == {(True, False, False), (False, True, False)}


@pytest.mark.parametrize(
    ("about", "share", "aug_list", "said"),
    [
        ("pitch", 0.5, ["pitch_shift"], "PitchShift changes the pitch"),
        ("pitch", 0.0, ["pitch_shift"], ""),
        ("", 0.5, ["pitch_shift"], ""),
        ("", 0.0, ["gain", "mp3"], "Mp3 has no GPU version"),
    ],
)
def test_an_augmentation_that_changes_what_the_labels_are_of_is_warned_of(tones, caplog, about, share, aug_list, said):
    data = _data(tones, aug_list=aug_list)
    task = Task("mine", "multiclass", ("a", "b"), about=about)
    data._pools = replace(data.pools, tasks=(task,), share=share)
    caplog.clear()
    data.setup("fit")
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert [line[: len(said)] for line in warned] == ([said] if said else [])


@pytest.mark.parametrize("aug_list", [["gain", "add_colored_noise"], [Mp3(p=1.0)]])
def test_ranks_augment_differently_and_each_of_them_always_the_same(tones, aug_list):
    """The same batch, whose augmentation is drawn on the device or in a loading worker."""
    outs = []
    for rank in (0, 1, 0):
        data = _data(tones, aug_list=aug_list)
        data.trainer = SimpleNamespace(training=True, global_rank=rank, world_size=2)
        loader = data.train_dataloader()
        loader.sampler.rank = 0  # the clips of one
        batch = loader.dataset[loader.sampler.draws(3)]
        outs.append(data.on_after_batch_transfer(batch, 0).audio)
    assert torch.equal(outs[0], outs[2])
    assert not torch.equal(outs[0], outs[1])


def _loaded(loader, count):
    return [batch for batch, _ in zip(loader, range(count), strict=False)]


def test_without_labelled_clips_no_signal_is_asked(tones, register):
    """b_s = 0 with a corpus that has labels: a signal that was fitted to none of them could not judge."""
    root, path, split = tones
    name = register(
        Table.build(root, path, split, np.eye(3, dtype=np.float32)[np.arange(len(path)) % 3]),
        Task("three", "multiclass", ("a", "b", "c")),
    )
    data = _data(tones, sl_task=name, data_dir=None, ssl_task="same", intrabatch_supervised_p=0)
    batch = next(iter(data.train_dataloader()))
    assert batch.labels.shape == (8, 0)
    assert not batch.labelled.any()


def test_views_that_are_all_the_same_are_warned_of(tones, caplog):
    data = _data(tones, aug_list=[], target_len=0.1)
    with caplog.at_level(logging.WARNING):
        data.setup("fit")
    assert re.search(r"\d\d% of the files are no longer than one view, and nothing augments them", caplog.text)
    caplog.clear()
    for other in ({"target_len": 0.03}, {"target_len": 0.1, "aug_list": ["gain"]}):
        with caplog.at_level(logging.WARNING):
            _data(tones, **{"aug_list": [], **other}).setup("fit")
    assert "nothing augments" not in caplog.text
