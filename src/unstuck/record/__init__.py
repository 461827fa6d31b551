"""A record of one run: writing it, reading it, numbers over steps."""
