"""Whether faces are real: media to crops, crops to classifiers, and one calibrated verdict with its parts."""
