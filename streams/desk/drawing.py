"""A client's file as marks and windows: which lane each event is in, how grave it is, and what is said of it."""

from typing import Any

import msgspec
from markupsafe import Markup
from msgspec import Struct

from streams.desk.files import File
from streams.desk.timeline import Lane, Mark, Row, Tone, Window, anchor, rows, timeline

_CLIENT = frozenset(
    ("client.located", "client.arrived", "client.requested", "client.asked", "client.declared", "client.merged")
)
_SOLICITS = frozenset(("firm.contacted", "referral.recorded"))
_TONES = (Tone.HELD, Tone.BLOCKED, Tone.RELEASED, Tone.ALLOWED)
_DEPTH = 4
"""How many lists and objects in one another are told: what the contract names is less deep."""


class Drawing(Struct, frozen=True):
    """The picture of a file, and the same in rows; `links` leads from a row's anchor to the page of an answer."""

    picture: Markup
    rows: list[Row]
    links: dict[str, str]


def drawn(file: File) -> Drawing:
    """The file of one client."""
    marks = [_event(row) for row in file.events] + [_answer(row) for row in file.answers]
    windows = _windows(file.notices)
    links = {anchor(row.id): row.id for row in file.answers}
    return Drawing(timeline(marks, windows), rows(marks, windows), links)


def _event(row: Any) -> Mark:
    data = msgspec.json.decode(row.body)["data"]
    lane = Lane.OFFER if row.kind.startswith("offer.") else Lane.CLIENT if row.kind in _CLIENT else Lane.FIRM
    tone = Tone.SOLICITS if row.kind in _SOLICITS else Tone.PLAIN
    return Mark(lane, row.at, row.recorded, f"{row.kind}: {_said(data)}", row.id, tone)


def _said(data: dict[str, Any]) -> str:
    """The fields of an event in their order, shortly."""
    return ", ".join(f"{name} {_value(value)}" for name, value in data.items() if value not in (None, [], ""))[:300]


def _value(value: Any, room: int = _DEPTH) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict) and not room:
        return "…"
    if isinstance(value, list):
        return " ".join(_value(each, room - 1) for each in value)
    if isinstance(value, dict):
        return "(" + " ".join(_value(each, room - 1) for each in value.values()) + ")"
    return str(value)


def _answer(row: Any) -> Mark:
    tone = Tone.SUPERSEDED if row.replaced_by else _TONES[row.rank]
    said = f"{('held', 'blocked', 'released', 'allowed')[row.rank]}, {row.leading}, offer {row.offer}"
    return Mark(Lane.ANSWER, row.at if row.at is not None else row.recorded, row.recorded, said, row.id, tone)


def _windows(notices: list[Any]) -> list[Window]:
    """The latest word on each window."""
    latest: dict[tuple[str, str | None, int], Any] = {}
    for notice in notices:
        if notice.name.startswith("scope."):
            key = (notice.service, notice.asset, notice.opened)
            known = latest.get(key)
            if known is None or (notice.recorded, notice.state == "tainted") >= (
                known.recorded,
                known.state == "tainted",
            ):
                latest[key] = notice
    return [Window(n.service, n.opened, n.soft, n.hard, n.state) for n in latest.values()]
