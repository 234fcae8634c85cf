"""``python -m semisupcon.prepare``: decode a dataset once, for training to read at the speed of the disk."""

from semisupcon.start import start

if __name__ == "__main__":
    start("semisupcon.curation.prepare")
