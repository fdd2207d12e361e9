"""Face pictures and clips kept out of deepfakes: protect, prove, detect."""
