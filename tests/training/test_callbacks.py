"""The picture of similarities beside targets: when it is drawn, of what, and where it goes."""

from types import SimpleNamespace

import pytest
import torch

from semisupcon.batch import Batch
from semisupcon.objectives.projection import MLP
from semisupcon.objectives.similarity import Cosine
from semisupcon.training import callbacks
from semisupcon.training.callbacks import SimilarityPicture
from semisupcon.training.contrastive import Contrastive
from semisupcon.training.pretraining import Matrices

NAN = float("nan")


@pytest.fixture
def module(tiny_encoder):
    module = Contrastive(tiny_encoder(), lambda dim: MLP(dim, 8, 8), Cosine(0.1))
    module._trainer = SimpleNamespace(log_every_n_steps=0, global_step=0, max_steps=-1)
    module.log = module.log_dict = lambda *_, **__: None
    return module


def make_batch(labels):
    clips = len(labels)
    return Batch(
        audio=torch.randn(clips, 2, 1, 300, generator=torch.Generator().manual_seed(0)),
        labels=torch.tensor(labels).reshape(clips, 3).float(),
        labelled=torch.tensor([row[0] == row[0] for row in labels], dtype=torch.bool),
        file=torch.arange(clips),
        draw=torch.zeros(clips, dtype=torch.long),
    )


MIXED = [[0, 0, 1], [NAN] * 3, [1, 0, 0], [0, 1, 0], [1, 0, 0]]


def draw(module, callback, batch, step, max_steps=100, loggers=()):
    trainer = SimpleNamespace(global_step=step, max_steps=max_steps, is_global_zero=True, loggers=loggers)
    callback.on_train_batch_end(trainer, module, module.training_step(batch, 0), batch, 0)


def pictures(folder):
    return sorted(path.name for path in folder.glob("pictures/*"))


def test_drawn_in_the_first_step_every_so_many_and_in_the_last(module, tmp_path):
    callback = SimilarityPicture(every_n_steps=3)
    callback.folder = tmp_path
    for step in (1, 2, 3, 3, 4, 5, 6, 7):  # a step may have several batches
        draw(module, callback, make_batch(MIXED), step, max_steps=7)
    assert pictures(tmp_path) == [f"similarity-000000{step}.png" for step in (1, 3, 6, 7)]


def test_not_drawn_where_it_is_not_wanted_or_there_is_nothing_to_draw(module, tmp_path):
    for every, batch in ((0, make_batch(MIXED)), (1, make_batch([]))):
        callback = SimilarityPicture(every_n_steps=every)
        callback.folder = tmp_path
        draw(module, callback, batch, step=1)
    assert not pictures(tmp_path)


def test_labelled_clips_come_first_sorted_by_their_first_label(module, tmp_path, monkeypatch):
    """Clips 2, 4 (class 0), 3 (class 1), 0 (class 2), then the unlabelled 1; two views each."""
    shown = []
    monkeypatch.setattr(callbacks, "draw", lambda *given: shown.append(given) or SimpleNamespace(savefig=str))
    callback = SimilarityPicture(every_n_steps=1)
    callback.folder = tmp_path
    draw(module, callback, make_batch(MIXED), step=1)
    targets, keep = shown[0][0].targets, shown[0][0].keep
    clip = torch.tensor([2, 4, 3, 0, 1]).repeat_interleave(2)
    alike = torch.tensor([0, 1, 2, 3, 2])[clip]  # clips 2 and 4 share a class
    assert torch.equal(targets, ((alike[:, None] == alike[None, :]) & ~torch.eye(10, dtype=torch.bool)).float())
    assert torch.equal(keep, ~torch.eye(10, dtype=torch.bool))
    few = SimilarityPicture(every_n_steps=1, views=5)
    few.folder = tmp_path
    draw(module, few, make_batch(MIXED), step=1)
    assert shown[1][0].targets.shape == (4, 4)  # whole clips


def test_sent_to_the_loggers_that_take_pictures(module, tmp_path):
    images, figures = [], []
    wandb = SimpleNamespace(log_image=lambda key, images: images_of(key, images))
    board = SimpleNamespace(experiment=SimpleNamespace(add_figure=lambda *given: figures.append(given)))

    def images_of(key, paths):
        images.extend((key, path) for path in paths)

    callback = SimilarityPicture(every_n_steps=1)
    callback.folder = tmp_path
    draw(module, callback, make_batch(MIXED), step=2, loggers=[wandb, board, SimpleNamespace()])
    assert images == [("similarity", str(tmp_path / "pictures" / "similarity-0000002.png"))]
    assert [(name, step) for name, _, step in figures] == [("similarity", 2)]


def test_training_is_not_disturbed_by_a_picture(module, tmp_path):
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    callback = SimilarityPicture(every_n_steps=1)
    callback.folder = tmp_path
    draw(module.eval(), callback, make_batch(MIXED), step=1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_picture_of_more_views_than_quantile_takes():
    matrix = torch.zeros(3000, 3000)
    callbacks.draw(Matrices(matrix, matrix, torch.ones(3000, 3000, dtype=torch.bool)), "large")
