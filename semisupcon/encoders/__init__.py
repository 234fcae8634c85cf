"""Encoders: a waveform (N, 1, T) in, an embedding (N, D) out."""

from semisupcon.encoders.base import Encoder, build
from semisupcon.encoders.mfcc import MFCC
from semisupcon.encoders.samplecnn import SampleCNN

__all__ = ["MFCC", "Encoder", "SampleCNN", "build"]
