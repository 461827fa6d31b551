"""One file for each framework that trains for the program: it tells where a fit begins and ends.

Each needs nothing but its framework, and is imported by nobody but the program.
"""
