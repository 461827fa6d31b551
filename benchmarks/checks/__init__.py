"""How often questions find the place of a fault, and how often they fail a healthy program.

`python -m benchmarks.checks [healthy | faulty] [NAME...]` asks `corpus/healthy` or `programs`, each
of which marks the line at fault with `# fault`, and prints a line for each program and the counts.
"""
