"""Causes in the handling of sequences: their padding, masks and lengths."""
