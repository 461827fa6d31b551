"""Tools of development: the generated pages of the documentation and its navigation."""
