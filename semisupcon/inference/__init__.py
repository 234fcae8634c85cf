"""Embeddings to take away: from audio files and a checkpoint to one row a track, without Lightning."""
