"""The gate on Kafka and Redis: each event is decided once, in the numbered order of effects (design section 3)."""
