"""``python -m semisupcon.embed``: audio files and a checkpoint to embeddings. In Python, three lines::

from semisupcon.embed import Embedder
embedder = Embedder("runs/RUN/last.ckpt")
track = embedder("song.mp3")  # track.mean (D,), track.segments (S, D), track.starts (S,), track.seconds
"""

import sys

try:
    from semisupcon.inference.command import main  # takes seconds, in which Ctrl-C may come
    from semisupcon.inference.embedder import Embedder, TrackEmbedding
except KeyboardInterrupt:
    if __name__ != "__main__":
        raise
    if sys.stderr is not None:
        sys.stderr.write("\nstopped\n")
    sys.exit(130)

__all__ = ["Embedder", "TrackEmbedding", "main"]

if __name__ == "__main__":
    sys.exit(main())
