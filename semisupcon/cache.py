"""Where things that can be made again are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """$SEMISUPCON_CACHE, else $XDG_CACHE_HOME/semisupcon, else ~/.cache/semisupcon."""
    if own := os.environ.get("SEMISUPCON_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "semisupcon"
