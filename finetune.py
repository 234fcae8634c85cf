"""Probe or fine-tune an encoder: python finetune.py --config config/finetuning/probe.yaml [--option=value ...]."""

import sys

from semisupcon.downstream.cli import main

if __name__ == "__main__":
    sys.exit(main())
