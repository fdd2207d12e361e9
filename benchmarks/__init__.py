"""Measurements on real pictures: what takes too long, or needs data that nobody may hand out, to be a test."""
