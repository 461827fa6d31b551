"""Trainings with the real frameworks, healthy and faulty (`make test-frameworks`)."""
