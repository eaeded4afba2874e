"""Suspicious patterns of transfers: who scatters, gathers, cuts up and walks money round, against its own habit."""

from streams.matching.transfers.detection import RULES, Detection
from streams.matching.transfers.detector import Detector, detect

__all__ = ["RULES", "Detection", "Detector", "detect"]
