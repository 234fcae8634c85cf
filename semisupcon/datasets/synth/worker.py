"""A process that makes one share of a corpus's files: ``python -m semisupcon.datasets.synth.worker``.

A process of its own, not a fork nor a spawned copy: the caller may hold a GPU, threads, and a main module that
takes seconds to import, and none of that is needed here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from semisupcon.datasets.synth.codec import write
from semisupcon.datasets.synth.plan import Params, plan
from semisupcon.datasets.synth.render import render


def work(folder: Path, params: Params, share: int, of: int) -> None:
    """Make every ``of``-th file of the corpus in ``folder``, beginning with number ``share``.

    One byte goes to standard output for each file done. When its reader is gone, so is the reason to go on.
    """
    for clip in plan(params)[share::of]:
        write(folder / clip.path, render(clip, params), clip.rate, serial=clip.number)
        sys.stdout.buffer.write(b".")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    folder, values = Path(sys.argv[1]), json.loads(sys.argv[2])
    params = Params(**{**values, "players": tuple(values["players"])})
    try:
        work(folder, params, int(sys.argv[3]), int(sys.argv[4]))
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(1)
    except OSError as error:
        sys.exit(f"{error.strerror or error}")
