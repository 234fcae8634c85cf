"""What decides a run of pretrain.py: its options as they come out of files, command line and defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from semisupcon.evaluation.sweep.points import Point
from semisupcon.plain import plain
from semisupcon.training.cli import Pretrain

Settings = Mapping[str, Any]
"""Option -> value, as JSON holds it."""

# Where a run is kept, how much it says and draws, and how its audio is read change nothing of what is trained.
_ASIDE = (
    *("config", "include", "log", "ckpt_path", "run_name", "resume_from_ckpt", "checkpoint", "picture"),
    *("data.num_workers", "trainer.logger", "trainer.default_root_dir", "trainer.log_every_n_steps"),
    *("trainer.enable_progress_bar", "trainer.enable_model_summary", "trainer.enable_checkpointing"),
)


def parsed(point: Point) -> dict[str, Any]:
    """A point's config as pretrain.py reads it.

    Raises:
        UserError: an option that it refuses.
    """

    class Parsed(Pretrain):
        def instantiate_classes(self) -> None:
            pass

    return dict(Parsed(list(point.arguments)).config.as_dict())


def settings(config: Mapping[str, Any]) -> Settings:
    """What of a config decides what is trained, without levels."""
    return dict(_flat(config))


def differences(there: Settings, here: Settings) -> list[str]:
    """The options that differ, each with both its values."""
    names = sorted({*there, *here})
    told = {name: [_said(each, name) for each in (there, here)] for name in names}
    return [
        f"{name.replace('.init_args', '')}: there {told[name][0]}, here {told[name][1]}"
        for name in names
        if name not in there or name not in here or there[name] != here[name]
    ]


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        name = f"{prefix}{key}"
        if name in _ASIDE:
            continue
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, json.loads(json.dumps(plain(value), default=str))


def _said(settings: Settings, name: str) -> str:
    return str(settings[name]) if name in settings else "not given"
