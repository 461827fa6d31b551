"""Trainings with the real frameworks, healthy and faulty, watched in each way (`make test-frameworks`)."""
