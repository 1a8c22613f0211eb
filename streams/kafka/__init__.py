"""Kafka: records and keys, topics as they must be, clients, and what is read, replayed and said of them."""
