"""`gate61 serve --embedded`: the gate over HTTP with SQLite, for a firm that has neither Kafka nor Redis."""
