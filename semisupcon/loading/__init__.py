"""From tables of files to batches of crops. Never names a corpus."""
