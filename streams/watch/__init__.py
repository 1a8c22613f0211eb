"""Flagged offers as they are watched in a terminal: read, told apart from copies, shown as lines or as a screen."""
