"""``python -m semisupcon.augment``: hear and see what the augmentations do to an audio file."""

import sys

if __name__ == "__main__":
    try:
        from semisupcon.augment.listening.listen import main  # takes a moment, in which Ctrl-C may come

        status = main()
    except KeyboardInterrupt:  # while it is imported
        sys.stderr.write("\nstopped\n")
        status = 130
    sys.exit(status)
