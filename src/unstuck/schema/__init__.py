"""What everything speaks of, as pure data: signals, facts, findings, edits. Stdlib only."""
