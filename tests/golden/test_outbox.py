"""An outbox as it is stored: a worker of another version finds in it the same records for the same topics.

`outbox-1.json` was taken when it was written first. Topics are stored as places in its list of them, so these never change
theirs, and what is added comes last.
"""

import json
from pathlib import Path

from streams.kafka.topics import Names
from streams.worker.outputs import Output, outbox_from_bytes, outbox_to_bytes

KEPT = json.loads((Path(__file__).parent / "outbox-1.json").read_text())
OUTPUTS = [
    *(Output(place, 3, b"anna", b'{"specversion":"1.0"}') for place in range(len(KEPT["topics"]))),
    Output(
        4, 47, "älva".encode(), b"", (("content-type", b"application/cloudevents+json"), ("gate61.read", b"1.9.7.42"))
    ),
    Output(9, 0, None, None, (("gate61.errors.cut", None),)),
    Output(8, 128, b"\xff\x00", b"\x80" * 300),
]
"""To each topic; what may be missing; numbers and lengths on both sides of what MessagePack writes in one byte."""


def test_no_topic_changes_its_place() -> None:
    """A worker of another version would publish to the wrong one."""
    assert list(Names._fields[: len(KEPT["topics"])]) == KEPT["topics"]


def test_an_outbox_is_stored_and_read_as_ever() -> None:
    """Byte for byte, and empty for none."""
    assert outbox_to_bytes(OUTPUTS).hex() == KEPT["outbox"]
    assert outbox_from_bytes(bytes.fromhex(KEPT["outbox"])) == OUTPUTS
    assert (outbox_to_bytes([]), outbox_from_bytes(b"")) == (b"", [])
