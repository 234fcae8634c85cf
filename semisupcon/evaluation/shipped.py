"""The scripts and configs that come with the package, wherever a command is started."""

from __future__ import annotations

from pathlib import Path

from semisupcon.errors import UserError

ROOT = Path(__file__).parents[2]


def shipped(name: str) -> Path:
    """A file of the repository: of the checkout that the package is in, or else of the one that is worked in.

    Args:
        name: from the repository's root, such as ``config/finetuning/finetune.yaml``.

    Raises:
        UserError: there is none, as where the package alone is installed.
    """
    for root in (ROOT, Path()):
        if (root / name).is_file():
            return root / name
    raise UserError(
        f"{name}: not found beside the package nor in {Path.cwd()}. Only the repository has its scripts and configs: "
        "start this in a checkout of it."
    )
