"""Record to diagnosis: the causes, their verdicts, severity, what the user silences."""
