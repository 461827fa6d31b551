"""Tries changes on the user's own program, and judges the records that they leave."""
