"""Causes of a gap between training and held-out data."""
