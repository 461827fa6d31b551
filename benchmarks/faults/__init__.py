"""Everything of ours that runs inside a program is made to fail: the program must not notice."""
