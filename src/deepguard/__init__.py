"""Face pictures and clips kept out of deepfakes: protect, prove, detect."""

__version__ = "0.1.0"
