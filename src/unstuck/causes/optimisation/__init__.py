"""Causes in the optimizer and its settings."""
