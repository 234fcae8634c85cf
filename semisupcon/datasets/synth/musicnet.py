"""Chamber music in MusicNet's own format, synthesised, with labels that are exact.

``write_musicnet`` fills a folder that ``semisupcon.datasets.musicnet`` reads as it reads the real corpus; also as

    python -m semisupcon.datasets.synth.musicnet FOLDER [--train 24] [--test 6] [--seconds 20] [--seed 0]

One to three instruments play in a common key and tempo: melodies, and chords on the keyboards. A note is labelled from
the moment it is struck until its release begins. Timbres are those of the embedded corpus, each of which stands for one
of MusicNet's instruments, in a register of its own; every recording has its own players.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semisupcon.datasets.synth import score
from semisupcon.datasets.synth.codec import write
from semisupcon.datasets.synth.instruments import player
from semisupcon.datasets.synth.timbre import RATE, Wave, note

LABEL_RATE = 44_100  # Hz, of the files and of what the labels count time in
FIRST = 1727  # the number of MusicNet's first recording

# MIDI program counted from 1 -> the timbre that stands for it, and semitones up from the common register C3 to B4.
PARTS = {
    1: ("struck", 0), 7: ("plucked", 0), 41: ("bowed", 12), 43: ("bowed", -12), 61: ("brass", 0),
    71: ("voice", -12), 72: ("reed", 0), 74: ("flute", 12),
}  # fmt: skip
KEYBOARDS = (1, 7)

# Names as musicnet_metadata.csv spells them, and who plays.
ENSEMBLES = {
    "Solo Piano": (1,),
    "Accompanied Violin": (41, 1),
    "Solo Flute": (74,),
    "Clarinet-Cello-Piano Trio": (72, 43, 1),
    "Accompanied Clarinet": (72, 1),
    "Pairs Clarinet-Horn-Bassoon": (72, 61, 71),
    "Solo Cello": (43,),
    "Horn Piano Trio": (61, 41, 1),
    "Violin and Harpsichord": (41, 7),
}
_NAMED = ((0.375, "Sixteenth"), (0.75, "Eighth"), (1.5, "Quarter"), (3.0, "Half"), (np.inf, "Whole"))  # up to, beats


class Note(NamedTuple):
    """One note as it is labelled, in samples at ``RATE``."""

    start: int
    end: int
    program: int
    midi: int
    accent: float


def write_musicnet(
    folder: str | Path, recordings: tuple[int, int] = (24, 6), seconds: float = 20.0, seed: int = 0
) -> Path:
    """Write a corpus; the same bytes for the same arguments.

    Args:
        folder: made if missing; ``train_data/``, ``train_labels/``, ``test_data/``, ``test_labels/`` and
            ``musicnet_metadata.csv`` in it are written.
        recordings: to train and to test on. Each is a work of its own, so ``musicnet`` takes a tenth of the first to
            validate on.
        seconds: length of each.
        seed: of everything that is drawn.

    Returns:
        the folder.
    """
    folder = Path(folder)
    about = ["id,composer,composition,movement,ensemble,source,transcriber,catalog_name,seconds"]
    for number in range(sum(recordings)):
        split = "train" if number < recordings[0] else "test"
        place = number if split == "train" else number - recordings[0]
        ensemble = list(ENSEMBLES)[place % len(ENSEMBLES)]
        played, beat, sound = recording(ENSEMBLES[ensemble], seconds, np.random.default_rng([seed, number]))
        for kind in ("data", "labels"):
            (folder / f"{split}_{kind}").mkdir(parents=True, exist_ok=True)
        write(folder / f"{split}_data" / f"{FIRST + number}.wav", sound[:, None], LABEL_RATE, serial=number)
        (folder / f"{split}_labels" / f"{FIRST + number}.csv").write_text(_labels(played, beat))
        about.append(
            f"{FIRST + number},Synthesiser,Study No {number + 1},1. Allegro,{ensemble},semisupcon,semisupcon,"
            f"S{number + 1},{round(seconds)}"
        )
    (folder / "musicnet_metadata.csv").write_text("\n".join(about) + "\n")
    return folder


def recording(programs: Sequence[int], seconds: float, rng: np.random.Generator) -> tuple[list[Note], float, Wave]:
    """One recording: its notes by their start, the seconds of a beat, and (n,) samples at ``RATE``."""
    tonic, mode = score.LOWEST + int(rng.integers(12)), str(rng.choice(list(score.SCALES)))
    beat = 60 / float(rng.uniform(70, 130))
    length = round(seconds * RATE)
    music = np.zeros(length, np.float32)
    played: list[Note] = []
    for program in programs:
        name, shift = PARTS[program]
        timbre = player(name, 0.5, rng)
        loudness = np.float32(10 ** (rng.uniform(-4, 0) / 20))
        for each in _part(program, programs, tonic, mode, seconds, beat, rng):
            held = (each.end - each.start) / RATE
            effort = 0.5 + 0.2 * each.accent
            sound = note(timbre, each.midi + shift, held, effort, bool(rng.random() < 0.3), rng)[: length - each.start]
            music[each.start : each.start + len(sound)] += sound * loudness * np.float32(10 ** (2 * each.accent / 20))
            played.append(each._replace(midi=each.midi + shift))
    music += np.float32(2e-4) * rng.standard_normal(length, np.float32)
    return sorted(played), beat, music * np.float32(0.7 / max(0.7, float(np.abs(music).max())))


def _part(
    program: int, programs: Sequence[int], tonic: int, mode: str, seconds: float, beat: float, rng: np.random.Generator
) -> list[Note]:
    """What one player plays: phrases with rests between them; a keyboard chords, and alone a melody above them."""
    voices = ["chords"] if program in KEYBOARDS else ["melody"]
    if len(programs) == 1 and program in KEYBOARDS:
        voices.append("melody")
    found = []
    for voice in voices:
        make = score.progression if voice == "chords" else score.phrase
        at = float(rng.uniform(0, 2)) * beat
        while at + 4 * beat < seconds:
            long = min(float(rng.integers(6, 17)) * beat, seconds - at)
            pace = beat * float(rng.choice((1.0, 2.0))) if voice == "chords" else beat
            articulation = str(rng.choice(("plain", "legato", "staccato"), p=(0.5, 0.35, 0.15)))
            for event in make(tonic, mode, long, pace, articulation, rng):
                start = round((at + event.start) * RATE)
                end = min(start + max(round(0.05 * RATE), round(event.seconds * RATE)), round(seconds * RATE))
                if end > start:
                    found.append(Note(start, end, program, event.midi, event.accent))
            at += long + float(rng.integers(1, 4)) * beat
    return found


def _labels(played: Sequence[Note], beat: float) -> str:
    lines = ["start_time,end_time,instrument,note,start_beat,end_beat,note_value"]
    scale = LABEL_RATE // RATE
    for each in played:
        beats = (each.end - each.start) / RATE / beat  # MusicNet's end_beat is how many beats a note lasts
        value = next(name for most, name in _NAMED if beats < most)
        at = f"{each.start / RATE / beat:.3f},{beats:.3f},{value}"
        lines.append(f"{each.start * scale},{each.end * scale},{each.program},{each.midi},{at}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m semisupcon.datasets.synth.musicnet", description="Write chamber music in MusicNet's format."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=24, help="recordings to train and validate on")
    parser.add_argument("--test", type=int, default=6, help="recordings to test on")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write_musicnet(options.folder, (options.train, options.test), options.seconds, options.seed)
