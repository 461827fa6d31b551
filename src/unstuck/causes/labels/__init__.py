"""Causes in labels and targets."""
