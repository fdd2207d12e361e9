"""Verified weight files: what each is, where it comes from, and the shelf that holds them."""
