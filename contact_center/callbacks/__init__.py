"""Callbacks from a queue as pure rules: when they are due, what an attempt came to, how the story is told."""
