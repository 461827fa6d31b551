"""Mistakes in the training program."""
