"""``python -m semisupcon.augment``: hear and see what the augmentations do to an audio file."""

from semisupcon.start import start

if __name__ == "__main__":
    start("semisupcon.augment.listening.listen")
