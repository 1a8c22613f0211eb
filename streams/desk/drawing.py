"""A client's file as marks and windows: which lane each event is in, how grave it is, and what is said of it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from markupsafe import Markup
from msgspec import Struct

from gate.law import SOLICITATION_CODES
from streams.border.wire import instant
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
    marks = [_event(row) for row in file.events.rows] + [_answer(row) for row in file.answers.rows]
    windows = _windows(file)
    links = {anchor(row.id): row.id for row in file.answers.rows}
    return Drawing(timeline(marks, windows), rows(marks, windows), links)


def _event(row: Any) -> Mark:
    data = msgspec.json.decode(row.body)["data"]
    lane = Lane.OFFER if row.kind.startswith("offer.") else Lane.CLIENT if row.kind in _CLIENT else Lane.FIRM
    tone = Tone.SOLICITS if row.kind in _SOLICITS else Tone.PLAIN
    return Mark(lane, row.at, row.recorded, f"{row.kind}: {told(data)}", row.id, tone, row.place)


def told(data: Mapping[str, Any], room: int = _DEPTH) -> str:
    """The fields of an event in their order, all that they say; an empty list says that there is nothing."""
    return ", ".join(f"{name} {_value(value, room)}" for name, value in data.items() if value not in (None, ""))


def _value(value: Any, room: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict) and not room:
        return "…"
    if isinstance(value, list):
        return " ".join(_value(each, room - 1) for each in value) or "nothing"
    if isinstance(value, dict):
        return f"({told(value, room - 1) or 'anything'})"
    return str(value)


def _answer(row: Any) -> Mark:
    tone = Tone.SUPERSEDED if row.replaced_by else _TONES[row.rank]
    said = f"{('held', 'blocked', 'released', 'allowed')[row.rank]}, {row.leading}, offer {row.offer}"
    return Mark(
        Lane.ANSWER, row.at if row.at is not None else row.recorded, row.recorded, said, row.id, tone, row.place
    )


def _windows(file: File) -> list[Window]:
    """The latest word on each window; one that is tainted stays so, whatever is said of it later (judging section 5)."""
    latest = {(n.service, n.asset, n.opened): n for n in (*file.notices.rows, *file.tainted)}
    spoiling = _spoiling(file)
    found = []
    for key, n in latest.items():
        because = dict.fromkeys((n.because, *spoiling.get(key, ()))) if n.state == "tainted" else ()
        found.append(Window(n.service, n.opened, n.soft, n.hard, n.state, tuple(because)))
    return found


def _spoiling(file: File) -> dict[tuple[str, str | None, int], list[str]]:
    """What the latest answer on a tainted window leans on where it says so."""
    found = {}
    for row in file.answers.rows:
        data = msgspec.json.decode(row.body)["data"]
        scope = data["scope"]
        if scope is not None and scope["state"] == "tainted":
            reasons = [r for r in data["reasons"] if r["code"] in SOLICITATION_CODES and r["verdict"] == "block"]
            key = (scope["service"], scope["asset"], instant(scope["opened_at"]))
            found[key] = [fact for reason in reasons for fact in reason["facts"]]
    return found
