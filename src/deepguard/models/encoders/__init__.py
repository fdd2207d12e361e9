"""Encoders, one file each; importing the package registers none: the registry does."""
