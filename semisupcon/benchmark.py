"""``python -m semisupcon.benchmark``: evaluate encoders on tasks, from probes to robustness, as tables and pictures."""

import sys

if __name__ == "__main__":
    try:
        from semisupcon.evaluation.cli import main  # takes seconds, in which Ctrl-C may come

        status = main()
    except KeyboardInterrupt:  # while it is imported
        sys.stderr.write("\nstopped\n")
        status = 130
    sys.exit(status)
