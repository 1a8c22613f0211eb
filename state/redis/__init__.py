"""The state of a worker's partitions in Redis."""
