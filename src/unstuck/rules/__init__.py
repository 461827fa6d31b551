"""What a cause file is made of."""
