"""A page on which one hears what the augmentations do: ``python -m semisupcon.augment FILE``."""
