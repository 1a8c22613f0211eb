"""What the HTTP services share: problems, keys, metrics, and how they listen."""
