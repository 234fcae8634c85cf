"""``python -m semisupcon.check``: look at every file of a dataset, and say what is wrong with it."""

from semisupcon.start import start

if __name__ == "__main__":
    start("semisupcon.curation.check")
