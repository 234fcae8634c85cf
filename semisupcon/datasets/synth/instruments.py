"""The twelve instruments: for each, the ranges its players' timbres are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from semisupcon.datasets.synth.timbre import Timbre

Range = tuple[float, float]

HARMONIC = tuple(float(k) for k in range(1, 19))
_WIDE = tuple(float(k) for k in range(1, 25))
_BAR = (1.0, 3.98, 9.2, 16.7)  # a bar tuned as a marimba's is
_CHURCH = (
    0.5,
    1.0,
    1.19,
    1.5,
    2.0,
    2.51,
    2.66,
    3.01,
    4.1,
    5.4,
    6.8,
    8.2,
    9.7,
)  # hum, prime, tierce, quint, nominal, ...
_DRAWBARS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)


@dataclass(frozen=True)
class Instrument:
    """Ranges (low, high), uniform over players, of the fields of ``Timbre``; see there for units."""

    ratios: tuple[float, ...] = HARMONIC
    jitter: float = 3.0  # dB, standard deviation over partials
    tilt: Range = (-9.0, -5.0)
    even: Range = (-3.0, 3.0)
    comb: Range = (0.0, 0.0)
    peaks: tuple[tuple[Range, Range, float], ...] = (
        ((350.0, 1200.0), (-5.0, 8.0), 0.5),
        ((1500.0, 4500.0), (-5.0, 8.0), 0.5),
    )
    stretch: Range = (0.0, 0.0)
    attack: Range = (0.005, 0.05)
    decay: Range = (0.0, 0.0)
    damping: Range = (0.0, 0.0)
    release: Range = (0.04, 0.12)
    bloom: Range = (0.0, 0.0)
    breath: Range = (-50.0, -32.0)
    strike: Range = (-40.0, -20.0)
    index: Range = (0.0, 0.0)
    ratio: Range = (1.0, 1.0)
    index_decay: Range = (1.0, 1.0)
    vibrato_hz: Range = (4.5, 7.0)
    vibrato_cents: Range = (25.0, 60.0)
    tremolo: Range = (4.0, 8.0)


INSTRUMENTS: dict[str, Instrument] = {
    "plucked": Instrument(
        tilt=(-7, -4), comb=(0.1, 0.3), stretch=(2e-5, 3e-4), attack=(0.002, 0.008), decay=(0.35, 0.9),
        damping=(0.15, 0.35), strike=(-20, -8),
    ),
    "bowed": Instrument(
        tilt=(-7, -4.5), attack=(0.06, 0.2), breath=(-28, -18), bloom=(0.004, 0.012), vibrato_cents=(30, 70),
        peaks=(((260, 450), (4, 10), 0.3), ((1000, 1500), (-8, 0), 0.35), ((2400, 3300), (7, 13), 0.35)),
    ),
    "struck": Instrument(
        tilt=(-13, -9.5), stretch=(5e-4, 1.5e-3), attack=(0.003, 0.012), decay=(0.8, 1.8), damping=(0.05, 0.15),
        strike=(-26, -16),
    ),
    "mallet": Instrument(
        ratios=_BAR, tilt=(-12, -5), even=(0, 0), attack=(0.002, 0.01), decay=(0.25, 0.7), damping=(0.2, 0.6),
        strike=(-22, -8), peaks=(),
    ),
    "flute": Instrument(
        tilt=(-18, -13), attack=(0.05, 0.15), breath=(-21, -11), bloom=(0.01, 0.03), strike=(-34, -18),
    ),
    "reed": Instrument(
        tilt=(-6, -4), even=(-30, -16), attack=(0.02, 0.09), breath=(-44, -32), bloom=(0.004, 0.012),
        peaks=(((1200, 1800), (4, 10), 0.4), ((3000, 4500), (-10, -2), 0.5)),
    ),
    "brass": Instrument(
        tilt=(-5, -3), attack=(0.04, 0.1), bloom=(0.03, 0.07), breath=(-50, -38),
        peaks=(((800, 1300), (5, 11), 0.6), ((3500, 5000), (-8, -2), 0.6)),
    ),
    "organ": Instrument(
        ratios=_DRAWBARS, tilt=(-3, 0), even=(-3, 3), attack=(0.004, 0.03), release=(0.02, 0.06),
        strike=(-34, -20), breath=(-60, -45), peaks=(),
    ),
    "fm": Instrument(
        attack=(0.002, 0.02), decay=(0.7, 2.0), index=(1.4, 3.2), ratio=(3.2, 3.8), index_decay=(0.2, 0.8), peaks=(),
        breath=(-60, -45),
    ),
    "voice": Instrument(
        tilt=(-11, -8), attack=(0.04, 0.14), breath=(-34, -22), vibrato_cents=(40, 90),
        peaks=(((550, 850), (10, 16), 0.3), ((1000, 1400), (10, 16), 0.22), ((2600, 3200), (14, 20), 0.2)),
    ),
    "lead": Instrument(
        ratios=_WIDE, tilt=(-3.5, -1.5), comb=(0.1, 0.4), attack=(0.003, 0.03), bloom=(0.0005, 0.003), peaks=(),
        breath=(-60, -45),
    ),
    "bell": Instrument(
        ratios=_CHURCH, tilt=(-4, -1), even=(0, 0), attack=(0.002, 0.008), decay=(1.0, 2.5), damping=(0.03, 0.15),
        strike=(-26, -14), peaks=(), breath=(-60, -45),
    ),
}  # fmt: skip


def player(name: str, variety: float, rng: np.random.Generator) -> Timbre:
    """A player of an instrument.

    Args:
        name: one of ``INSTRUMENTS``.
        variety: how far players differ, from 0 (all alike) to 1 (the full ranges, which overlap a good deal).
        rng: what the player is drawn with.
    """
    ranges = INSTRUMENTS[name]
    drawn = {
        field.name: _within(getattr(ranges, field.name), variety, rng)
        for field in fields(Instrument)
        if field.name not in ("ratios", "jitter", "peaks")
    }
    peaks = tuple((_within(hz, variety, rng), _within(db, variety, rng), width) for hz, db, width in ranges.peaks)
    jitter = tuple(float(db) for db in rng.normal(0, variety * ranges.jitter, len(ranges.ratios)))
    vibrato = drawn.pop("vibrato_hz"), drawn.pop("vibrato_cents")
    return Timbre(ratios=ranges.ratios, jitter=jitter, peaks=peaks, vibrato=vibrato, **drawn)


def _within(limits: Range, variety: float, rng: np.random.Generator) -> float:
    """A draw from the middle of a range, of which ``variety`` is the share."""
    low, high = limits
    reach = variety * (high - low) / 2
    return float(rng.uniform((low + high) / 2 - reach, (low + high) / 2 + reach))
