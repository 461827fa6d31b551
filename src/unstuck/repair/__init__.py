"""Turns edits into changes of the user's source text. Text only: nothing of it is ever run here."""
