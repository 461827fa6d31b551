"""Writes training programs as users write them, healthy ones and ones with faults put in.

A program is data (`program.Program`) that is rendered as the source text of a script. Faults follow
the words of the catalogue of causes and what is known of the field's mistakes. Nothing here knows a
detector or a threshold: this package imports nothing of `unstuck`, which a test holds.
"""
