"""Encoders: a waveform (N, 1, T) in, an embedding (N, D) out."""

from semisupcon.encoders.base import Encoder, build
from semisupcon.encoders.logmel import LogMel
from semisupcon.encoders.melnets import EfficientNetB0, ResNet18
from semisupcon.encoders.mfcc import MFCC
from semisupcon.encoders.samplecnn import SampleCNN

__all__ = ["MFCC", "EfficientNetB0", "Encoder", "LogMel", "ResNet18", "SampleCNN", "build"]
