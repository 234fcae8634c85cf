"""Pretrain an encoder: python pretrain.py --config config/pretraining/pretrain_smsl.yaml [--option=value ...]."""

import sys

from semisupcon.training.cli import main

if __name__ == "__main__":
    sys.exit(main())
