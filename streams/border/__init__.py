"""The border: bytes to events, read once and strictly, and what is said of those that cannot be read."""
