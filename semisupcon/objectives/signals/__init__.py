"""Supervision signals: from the labels of two sets of clips to how alike each pair should be."""

from semisupcon.objectives.signals.base import Signal
from semisupcon.objectives.signals.classes import ClassSimilarity
from semisupcon.objectives.signals.custom import Custom
from semisupcon.objectives.signals.kernels import RegressionKernel
from semisupcon.objectives.signals.labels import LabelOverlap, SharedLabels
from semisupcon.objectives.signals.several import Several

__all__ = ["ClassSimilarity", "Custom", "LabelOverlap", "RegressionKernel", "Several", "SharedLabels", "Signal"]
