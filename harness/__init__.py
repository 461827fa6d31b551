"""Runs programs of the corpus apart from each other, and shares what was recorded of them."""
