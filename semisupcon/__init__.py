"""Semi-supervised contrastive learning of musical representations, and its relatives."""

__version__ = "0.4.0"
