"""Asks questions of a program's first training steps, within its own process. Knows torch."""
