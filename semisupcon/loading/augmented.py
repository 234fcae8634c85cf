"""The augmentations that no GPU can do, done in the loading workers."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import Dataset

from semisupcon.augment import Chain
from semisupcon.batch import Batch, to_float, to_int16
from semisupcon.loading.sampler import Draws


class Augmented(Dataset[Batch]):
    """The batches of a dataset after the head of an augmentation chain.

    What is drawn is a function of (seed, step, rank), whatever worker does it.

    Args:
        dataset: of int16 batches.
        head: of ``Chain.split``.
        sample_rate: Hz.
        seed: of the training.
        rank: of this process.
    """

    def __init__(self, dataset: Dataset[Batch], head: Chain, sample_rate: int, seed: int, rank: int) -> None:
        self.dataset, self.head, self.sample_rate = dataset, head, sample_rate
        self.seed, self.rank = seed, rank

    def __getitem__(self, draws: Draws) -> Batch:
        batch = self.dataset[draws]
        audio = batch.audio.flatten(0, 1)  # a view: (B, V, 1, T) -> (B*V, 1, T)
        with torch.random.fork_rng(devices=[]):
            # The same examples go through as on the device, ...
            torch.default_generator.manual_seed(step_seed(self.seed, draws.step, self.rank))
            among = self.head.among(len(audio))
            # ... and what is drawn for them has nothing to do with what is drawn there.
            torch.default_generator.manual_seed(step_seed(self.seed, draws.step, self.rank, "head"))
            audio.copy_(to_int16(self.head(to_float(audio), self.sample_rate, among)))
        return batch


def step_seed(seed: int, step: int, rank: int, part: str = "") -> int:
    """What decides everything random of a rank's batch; a step is a batch, also within an accumulated gradient."""
    words = [seed, step, rank, *part.encode()]
    return int(np.random.SeedSequence(words).generate_state(1)[0])
