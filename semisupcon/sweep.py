"""``python -m semisupcon.sweep``: pretrain over a grid of p_s, b_s, learning rates and seeds, and evaluate each."""

from semisupcon.start import start

if __name__ == "__main__":
    start("semisupcon.evaluation.sweep.cli")
