"""Causes in the architecture."""
