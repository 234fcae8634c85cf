"""``python -m semisupcon.filters RUN/last.ckpt``: what the band-pass filters of a SincNet layer have become."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from semisupcon.errors import UserError


def draw(checkpoint: str, out: Path | None = None) -> Path:
    """Draw the filters of a checkpoint's encoder before and after training.

    Args:
        checkpoint: of pretrain.py or finetune.py.
        out: the picture; None = ``filters.png`` beside the checkpoint.

    Returns:
        the picture's path.

    Raises:
        UserError: it is no checkpoint, its encoder has no sinc layer, or there is no folder for the picture.
    """
    from semisupcon.checkpoint import pretrained
    from semisupcon.encoders.plots import draw_filters
    from semisupcon.encoders.sincnet import SincConv

    encoder = pretrained(checkpoint)
    layer = next((module for module in encoder.modules() if isinstance(module, SincConv)), None)
    if layer is None:
        raise UserError(
            f"{checkpoint}: its encoder, {type(encoder).__name__}, has no sinc layer. Pretrain one with "
            "--model.encoder.class_path=SincNet, or CPC with --model.encoder.init_args.front=sinc."
        )
    path = Path(checkpoint).with_name("filters.png") if out is None else out
    if not path.parent.is_dir():
        raise UserError(f"--out={path}: there is no folder {path.parent}.")
    draw_filters(layer).savefig(path)
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: draw, and say where the picture is."""
    parser = argparse.ArgumentParser(
        prog="python -m semisupcon.filters", description=(__doc__ or "").partition(": ")[2]
    )
    parser.add_argument("checkpoint")
    parser.add_argument("--out", type=Path, help="the picture (default: filters.png beside the checkpoint)")
    options = parser.parse_args(arguments)
    try:
        sys.stdout.write(f"{draw(options.checkpoint, options.out)}\n")
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
