"""What a curve says: statistics, phases, the outcome of a run, a forecast."""
