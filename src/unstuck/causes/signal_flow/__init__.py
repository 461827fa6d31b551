"""Causes in how signals and gradients flow."""
