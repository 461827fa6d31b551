"""Numbers that causes ask for."""
