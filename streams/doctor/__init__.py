"""`gate61 doctor`: whether Kafka, Redis, topics, policies, clocks and stored state are as the gate needs them."""

from streams.doctor.examination import examine

__all__ = ["examine"]
