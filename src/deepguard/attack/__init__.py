"""Objectives, budgets and climbers."""
