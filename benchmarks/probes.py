"""Several test runs of finetune.py in one process, which spares each of them its start.

python -m benchmarks.probes '[["--config", "config/finetuning/probe.yaml", ...], ...]'
"""

from __future__ import annotations

import json
import sys

import torch

from semisupcon.downstream.cli import Evaluate
from semisupcon.running.screen import run


def main() -> int:
    """One after the other, until one fails."""
    for arguments in json.loads(sys.argv[1]):
        torch.set_grad_enabled(True)
        if status := run(lambda arguments=arguments: Evaluate(arguments).run_command()):
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
