"""Bytes that others sent, as a field of JSON: text where they are, else in base64 (contract section 1)."""

import base64


def is_text(data: bytes) -> bool:
    """Whether it is UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def field_of(name: str, data: bytes | None) -> dict[str, str | None]:
    """The field of that name, null where there are none, or of `NAME_base64` where it is no text."""
    if data is None:
        return {name: None}
    return {name: data.decode()} if is_text(data) else {f"{name}_base64": base64.b64encode(data).decode()}
