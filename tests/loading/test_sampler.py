"""Which clips a batch holds: the quota, the passes over each pool, and that nothing but (seed, step) decides."""

import random
from collections import Counter
from itertools import islice, pairwise

import numpy as np
import pytest
import torch

from semisupcon.loading.sampler import MixedBatchSampler, SequentialBatchSampler, _permutation


def _mixed(labelled=30, unlabelled=100, batch_size=8, share=0.25, **options):
    """Files 0, 1, ... are labelled, 1000, 1001, ... are not."""
    return MixedBatchSampler(np.arange(labelled), 1000 + np.arange(unlabelled), batch_size, share, **options)


def _plain(draws):
    return (draws.step, draws.file.tolist(), draws.draw.tolist(), draws.labelled.tolist())


def _run(sampler, epochs=1):
    return [_plain(draws) for _ in range(epochs) for draws in sampler]


@pytest.mark.parametrize("share", [0.05, 1 / 3, 0.0, 1.0, 0.5, 0.001])
@pytest.mark.parametrize("batch_size", [96, 7, 1])
def test_the_share_is_kept_over_every_prefix_to_half_a_clip(share, batch_size):
    sampler = _mixed(share=share, batch_size=batch_size)
    total = 0
    for step in range(500):
        draws = sampler.draws(step)
        assert len(draws.file) == batch_size
        np.testing.assert_array_equal(draws.labelled, draws.file < 1000)
        total += draws.labelled.sum()
        assert abs(total - (step + 1) * batch_size * share) <= 0.5 + 1e-6


def test_a_share_of_4_8_clips_gives_batches_of_4_and_5():
    # 0.05 x 96, cut to 4 in an earlier implementation
    found = [_mixed(share=0.05, batch_size=96).draws(step).labelled.sum() for step in range(1000)]
    assert set(found) == {4, 5}
    assert sum(found) == 4800


def test_a_small_share_leaves_batches_without_labels_and_still_meets_it():
    found = [draws.labelled.sum() for draws in _mixed(unlabelled=1000, share=0.01)]
    assert set(found) == {0, 1}


@pytest.mark.parametrize(("labelled", "unlabelled"), [(30, 100), (100, 30), (1, 100), (3, 7)])
def test_every_file_of_a_pool_is_drawn_once_before_any_again(labelled, unlabelled):
    draws = list(islice(map(_mixed(labelled, unlabelled, share=0.4).draws, range(100)), 100))
    for wanted, size in ((True, labelled), (False, unlabelled)):
        stream = np.concatenate([each.file[each.labelled == wanted] for each in draws])
        passes = [stream[start : start + size] for start in range(0, len(stream) - size + 1, size)]
        assert len(passes) > 2
        assert {len(set(each.tolist())) for each in passes} == {size}
        if size > 3:
            assert any((one != other).any() for one, other in pairwise(passes))  # another order each time


def test_a_file_that_recurs_has_another_draw_number():
    seen = Counter((f, d) for _, files, draws, _ in _run(_mixed(5, 100), 3) for f, d in zip(files, draws, strict=True))
    assert set(seen.values()) == {1}
    assert {draw for file, draw in seen if file == 0} == set(range(sum(file == 0 for file, _ in seen)))


def test_a_pool_smaller_than_its_quota_recurs_within_a_batch():
    draws = _mixed(labelled=2, unlabelled=40, batch_size=20, share=0.5).draws(0)
    pairs = list(zip(draws.file[draws.labelled].tolist(), draws.draw[draws.labelled].tolist(), strict=True))
    assert sorted(pairs) == [(file, draw) for file in (0, 1) for draw in range(5)]


def test_a_file_in_both_pools_never_has_one_draw_number_in_both():
    pool = np.arange(20)
    sampler = MixedBatchSampler(pool, pool, 8, 0.5)
    seen = Counter(pair for draws in map(sampler.draws, range(50)) for pair in zip(draws.file, draws.draw, strict=True))
    assert set(seen.values()) == {1}


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "share", "batches"),
    [(30, 100, 0.25, 17), (100, 30, 0.25, 50), (30, 100, 0, 13), (30, 100, 1, 4), (1, 1, 0.5, 1)],
)
def test_an_epoch_shows_each_pool_whole_and_ends(labelled, unlabelled, share, batches):
    sampler = _mixed(labelled, unlabelled, share=share)
    epoch = list(sampler)
    assert len(epoch) == len(sampler) == batches
    seen = {file for draws in epoch for file in draws.file.tolist()}
    assert len([file for file in seen if file < 1000]) == (labelled if share else 0)
    assert len([file for file in seen if file >= 1000]) == (unlabelled if share < 1 else 0)


def test_epochs_go_on_where_the_last_one_ended():
    sampler = _mixed()
    first, second = list(sampler), list(sampler)
    assert [draws.step for draws in first + second] == list(range(2 * len(sampler)))
    assert [_plain(draws) for draws in second] == [_plain(sampler.draws(draws.step)) for draws in second]
    assert _plain(first[0])[1] != _plain(second[0])[1]


@pytest.mark.parametrize("position", [0, 5, 16, 17, 20, 34])
def test_from_a_position_on_it_yields_the_tail_of_the_run(position):
    whole = _run(_mixed(), 3)  # 17 batches each
    resumed = _mixed()
    resumed.position = position
    left = 3 - position // len(resumed)
    assert _run(resumed, left) == whole[position:]


@pytest.mark.parametrize("world", [2, 3, 4])
def test_ranks_together_draw_what_one_rank_with_their_batches_draws(world):
    one = _mixed(batch_size=4 * world, share=0.3)
    ranks = [_mixed(batch_size=4, share=0.3, rank=rank, world_size=world) for rank in range(world)]
    assert {len(rank) for rank in ranks} == {len(one)}
    drawn: Counter[int] = Counter()
    for step in range(2 * len(one)):
        parts = [rank.draws(step) for rank in ranks]
        assert {len(part.file) for part in parts} == {4}
        assert {part.step for part in parts} == {step}
        rows = sorted(row for part in parts for row in zip(*_plain(part)[1:], strict=True))
        assert rows == sorted(zip(*_plain(one.draws(step))[1:], strict=True))
        drawn.update(file for file, _, labelled in rows if not labelled)
        counts = [drawn[file] for file in range(1000, 1100)]
        assert max(counts) - min(counts) <= 1  # none twice, on whatever rank, before all were drawn


def test_no_global_generator_has_a_part_in_it():
    def run(number):
        np.random.seed(number)
        torch.manual_seed(number)
        random.seed(number)
        _permutation.cache_clear()  # as in another process
        return _run(_mixed(seed=3))

    assert run(0) == run(1)
    assert run(0) != _run(_mixed(seed=4))


def test_shares_that_cannot_be_met_are_refused():
    for options in ({"share": 1.2}, {"share": 0.5, "labelled": 0}, {"share": 0.5, "unlabelled": 0}):
        with pytest.raises(ValueError, match="share"):
            _mixed(**options)
    assert len(_mixed(labelled=0, share=0)) == 13


@pytest.mark.parametrize("world", [1, 2, 3, 5])
@pytest.mark.parametrize("files", [0, 1, 7, 8, 9, 16, 17])
def test_validation_shows_each_clip_once_over_all_ranks_in_equally_many_batches(files, world):
    labelled = np.arange(files) % 2 == 0
    ranks = [list(SequentialBatchSampler(100 + np.arange(files), labelled, 4, rank, world)) for rank in range(world)]
    seen = [(file, known) for rank in ranks for draws in rank for file, known in zip(*_plain(draws)[1::2], strict=True)]
    assert sorted(seen) == [(100 + file, file % 2 == 0) for file in range(files)]
    assert len({len(rank) for rank in ranks}) == 1  # else the ranks wait for each other for ever
    assert len(ranks[0]) == len(SequentialBatchSampler(100 + np.arange(files), labelled, 4, 0, world))
    assert max((len(draws.file) for rank in ranks for draws in rank), default=0) <= 4


def test_validation_has_one_order_for_ever():
    def order(number):
        np.random.seed(number)
        return _run(SequentialBatchSampler(np.arange(20), np.ones(20, bool), 6))

    assert order(0) == order(1)
    sampler = SequentialBatchSampler(np.arange(20), np.ones(20, bool), 6)
    assert _run(sampler, 2) == 2 * order(0)
