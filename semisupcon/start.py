"""How ``python -m semisupcon.COMMAND`` starts: light, so that Ctrl-C is heard while the rest is imported."""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn


def start(module: str) -> NoReturn:
    """Run the ``main`` of a module and exit with its status; 130 where Ctrl-C comes while it is imported.

    Args:
        module: its dotted path; importing it takes seconds.
    """
    try:
        status = importlib.import_module(module).main()
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        status = 130
    sys.exit(status)
