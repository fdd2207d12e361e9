"""Classifiers for other programs: as one ONNX or TFLite file that says the same."""
