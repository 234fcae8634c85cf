"""Pretraining: the systems as LightningModules, and their command line. Knows nothing of downstream."""
