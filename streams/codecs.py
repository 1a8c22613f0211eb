"""Compressed batches for kafka-python: unpacked by what unpacks them for aiokafka (cramjam), which is installed anyway."""

from aiokafka import codec as unpacking
from kafka import codec
from kafka.record import default_records


def unpack_every_codec() -> None:
    """Let every consumer of this process read what anybody compressed, whichever of Kafka's codecs he chose."""
    for name in ("snappy", "lz4", "zstd"):
        if not getattr(codec, f"has_{name}")():
            setattr(codec, f"has_{name}", getattr(unpacking, f"has_{name}"))
            setattr(default_records, f"{name}_decode", getattr(unpacking, f"{name}_decode"))
