"""Sweeps of pretraining: a run of pretrain.py for each point of a grid, and what an evaluation says of each."""
