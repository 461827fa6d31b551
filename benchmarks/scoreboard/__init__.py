"""How often the right cause is named, on programs with faults put in and on healthy ones."""
