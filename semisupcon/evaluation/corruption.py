"""A test set corrupted: whole clips under an augmentation of some severity, whatever encoder hears them then."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from semisupcon.audio import Int16
from semisupcon.augment import TRANSFORMS, Transform
from semisupcon.batch import to_float, to_int16
from semisupcon.errors import BadAudio, UserError, did_you_mean
from semisupcon.loading.reader import Reader
from semisupcon.loading.segments import Clips, WholeClips
from semisupcon.threads import one_thread

HARDEST = 5.0

ROBUSTNESS: tuple[str, ...] = (
    *("gain", "polarity_inversion", "add_colored_noise", "filtering", "pitch_shift", "delay"),
    *("timestretch", "reverb", "chorus", "distortion", "compression", "reverse", "bitcrush", "mp3"),
)
"""What robustness is measured under: the six of SemiSupCon's chain, and those that it was not trained on (Guinot et
al., ISMIR 2024).

Of the latter ``splice`` is missing. It makes 4 to 12 cuts in a clip however long that is, so that of a clip of 3 s up
to half goes and of a track of minutes nothing to speak of: its curve would be one of durations. It can be asked for by
name. What ``timestretch`` makes shorter ends in silence, at most a third of a clip at severity 3.
"""


class Corruption:
    """One augmentation at one severity, for whole clips: echoes and rooms sound on from one segment into the next.

    Every clip goes through the effect, and the ``p`` of the augmentation is not used. Of one without a range, which
    would be the same at every severity (``Transform.likeliest`` below 1), a share of severity / 5 of the clips does.
    What is drawn depends on the seed, the augmentation and the clip's name alone, so that a clip gets the same random
    numbers at every severity, and only what they are scaled by differs: curves over severities are smooth. (That of mp3
    is flat from 3.6 on, where all clips have arrived at the worst quality there is.)

    Args:
        name: of ``augment.TRANSFORMS``, or a transform.
        severity: 0 (clean) to 5; half of it is the strength that scales the ranges, as everywhere in ``augment``.
        seed: of what is drawn.

    Raises:
        UserError: an unknown name, or a severity outside 0..5.
    """

    def __init__(self, name: str | Transform, severity: float, seed: int = 0) -> None:
        if not 0 <= severity <= HARDEST:
            raise UserError(f"severity {severity}: it goes from 0 (clean) to {HARDEST:.0f}; 2 is as in pretraining")
        if isinstance(name, str) and name not in TRANSFORMS:
            raise UserError(
                f"no such augmentation as {name!r}.{did_you_mean(name, TRANSFORMS)} "
                f"The augmentations are: {', '.join(TRANSFORMS)}."
            )
        self.transform = TRANSFORMS[name]() if isinstance(name, str) else name
        self.name = name if isinstance(name, str) else type(name).__name__
        self.severity, self.seed = severity, seed

    def __str__(self) -> str:
        return f"{self.name} at severity {self.severity:g}"

    def __call__(self, samples: Int16, sample_rate: int, clip: str) -> Int16:
        """(n,) of a whole clip -> (n,), rounded and clipped as a file would be; at severity 0 as it is.

        Args:
            samples: (n,) int16, not written to.
            sample_rate: Hz.
            clip: its path inside its corpus.

        Raises:
            UserError: the augmentation fails, or gives another length or samples that are no numbers.
        """
        if not self.severity:
            return samples
        with torch.random.fork_rng(devices=[]), one_thread(), torch.no_grad():
            torch.default_generator.manual_seed(self._seed_of(clip))
            if self.transform.likeliest < 1 and float(torch.rand(())) >= self.severity / HARDEST:
                return samples
            audio = to_float(torch.tensor(samples))[None, None]  # (1, 1, n), a copy
            shape = audio.shape
            try:
                changed = self.transform.effect(audio, sample_rate, self.severity / 2)
            except Exception as error:
                raise UserError(f"{self} failed on {clip}: {type(error).__name__}: {error}") from error
            if changed.shape != shape:
                raise UserError(f"{self} made {tuple(changed.shape)} of {tuple(shape)} samples of {clip}")
            if not changed.isfinite().all():
                raise UserError(f"{self} gave NaN or infinite samples for {clip}")
            return np.asarray(to_int16(changed)[0, 0].numpy())

    def _seed_of(self, clip: str) -> int:
        words = "\0".join((str(self.seed), type(self.transform).__name__, clip))
        return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "little")


class CorruptedClips(WholeClips):
    """Groups of whole clips, each group under one corruption after another, for ``clips_loader``.

    With C corruptions element i is group i // C under corruption i % C, see ``corruption``. The clips of a group are
    decoded when its first corruption is asked for and kept until the next group, by every worker for itself. So W
    workers decode a clip W times at most, and none holds more than one group as it is and as one corruption left it.

    A corruption takes memory for one clip at a time, up to 18 times what that takes in int16: 0.5 GB for 10 minutes at
    22,050 Hz, 2.8 GB for an hour, but 9 GB under ``reverb``. For tracks that long ``size`` is better 1.

    Args:
        reader: of all files.
        labels: (n, K) float32.
        rows: which files, in this order.
        length: T, samples in a segment.
        names: (n,) their paths inside their corpus, which decide what is drawn for a clip.
        corruptions: C of them.
        size: clips in a group.
        groups: how many groups there are; see ``WholeClips``.
    """

    def __init__(
        self,
        reader: Reader,
        labels: npt.NDArray[np.float32],
        rows: npt.NDArray[np.int64],
        length: int,
        names: Sequence[str] | npt.NDArray[Any],
        corruptions: Sequence[Corruption],
        size: int = 8,
        groups: int | None = None,
    ) -> None:
        super().__init__(_Kept(reader, size), labels, rows, length, size, groups)
        self.names, self.corruptions = names, corruptions

    def __len__(self) -> int:
        return super().__len__() * len(self.corruptions)

    def __getitem__(self, index: int) -> Clips:
        if not 0 <= index < len(self):
            raise IndexError(index)
        heard = _Through(self.reader, self.corruption(index), self.names)
        clean = WholeClips(heard, self.labels, self.rows, self.length, self.size, self.groups)
        return clean[index // len(self.corruptions)]

    def corruption(self, index: int) -> Corruption:
        """Which one the clips of an element have gone through."""
        return self.corruptions[index % len(self.corruptions)]


class _Kept(Reader):
    """A reader that remembers the last few whole files, and what was wrong with those that gave no audio."""

    def __init__(self, reader: Reader, files: int) -> None:
        super().__init__(reader.paths, reader.sample_rate, reader.places)
        self.reader, self.files = reader, files
        self.kept: OrderedDict[int, Int16 | BadAudio] = OrderedDict()

    def whole(self, file: int) -> Int16:
        if file not in self.kept:
            while len(self.kept) >= self.files:
                self.kept.popitem(last=False)
            try:
                self.kept[file] = self.reader.whole(file)
            except BadAudio as error:
                self.kept[file] = error
        found = self.kept[file]
        if isinstance(found, BadAudio):
            raise found
        return found


class _Through(Reader):
    """The files of another reader as a corruption leaves them."""

    def __init__(self, reader: Reader, corruption: Corruption, names: Sequence[str] | npt.NDArray[Any]) -> None:
        super().__init__(reader.paths, reader.sample_rate, reader.places)
        self.reader, self.corruption, self.names = reader, corruption, names

    def whole(self, file: int) -> Int16:
        return self.corruption(self.reader.whole(file), self.sample_rate, str(self.names[file]))
