"""Curve files of other tools, read as records. One reader a file; none executes what it reads."""
