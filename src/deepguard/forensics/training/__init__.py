"""How our own classifier is made: data, self-blended pictures, augmentation, adversarial training."""
