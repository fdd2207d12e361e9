"""Swappers, one file each; importing the package registers none: the registry does. Only the proof may import it."""
