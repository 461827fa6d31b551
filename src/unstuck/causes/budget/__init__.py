"""Causes in how long and on how much a run trains."""
