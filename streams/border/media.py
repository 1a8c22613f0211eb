"""What a content type says of an event: which mode of CloudEvents it is, and whether its data is JSON."""

from typing import Final

STRUCTURED: Final = "application/cloudevents+json"
NO_JSON: Final = "`content-type` of a binary event must say JSON, such as application/json or application/vnd.firm+json"
"""What is wrong with one that does not."""
_OF_EVENTS: Final = "application/cloudevents"
"""Begins the types of whole events and batches, of which only one is read."""


def media_of(content_type: str) -> str:
    """The type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def holds_json(media: str) -> bool:
    """Whether data of that type is JSON, by itself or by its suffix (RFC 6839)."""
    kind, _, form = media.partition("/")
    return bool(kind) and (form == "json" or form.endswith("+json")) and not media.startswith(_OF_EVENTS)
