"""What an encoder is worth on a labelled task: probes, fine-tuning, metrics over whole clips, and the report."""
