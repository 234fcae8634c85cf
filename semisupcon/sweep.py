"""``python -m semisupcon.sweep``: pretrain over a grid of p_s, b_s, learning rates and seeds, and evaluate each."""

import sys

if __name__ == "__main__":
    try:
        from semisupcon.evaluation.sweep.cli import main  # takes seconds, in which Ctrl-C may come

        status = main()
    except KeyboardInterrupt:  # while it is imported
        sys.stderr.write("\nstopped\n")
        status = 130
    sys.exit(status)
