"""Encoders: a waveform (N, 1, T) in, an embedding (N, D) out."""

from semisupcon.encoders.base import Encoder, build
from semisupcon.encoders.concat import Concat
from semisupcon.encoders.cpc import CPC
from semisupcon.encoders.logmel import LogMel
from semisupcon.encoders.melnets import EfficientNetB0, ResNet18
from semisupcon.encoders.mfcc import MFCC
from semisupcon.encoders.samplecnn import SampleCNN, SampleCNNXL
from semisupcon.encoders.sincnet import SincNet
from semisupcon.encoders.tune import TUNe

__all__ = [
    "CPC",
    "MFCC",
    "Concat",
    "EfficientNetB0",
    "Encoder",
    "LogMel",
    "ResNet18",
    "SampleCNN",
    "SampleCNNXL",
    "SincNet",
    "TUNe",
    "build",
]
