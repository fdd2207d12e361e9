"""Pictures: between files and tensors, and back."""
