"""The laboratory's own questions about a program, one file each: what is asked, and the verdict."""
