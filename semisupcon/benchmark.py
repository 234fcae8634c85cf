"""``python -m semisupcon.benchmark``: evaluate encoders on tasks, from probes to robustness, as tables and pictures."""

from semisupcon.start import start

if __name__ == "__main__":
    start("semisupcon.evaluation.cli")
