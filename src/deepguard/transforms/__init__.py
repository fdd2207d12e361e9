"""Random differentiable changes; all chance comes from the generator that is passed."""
