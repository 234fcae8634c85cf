"""``python -m semisupcon.overlap``: find test clips that lie inside files that are trained on."""

from semisupcon.start import start

if __name__ == "__main__":
    start("semisupcon.curation.overlap")
