"""What the logs tell, into the desk's store: each batch with its places in one transaction, so nothing is lost or doubled.

Logs are read side by side, so an answer may come before its offer, and a later answer before the earlier one: every fold
works in either order.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, bindparam, delete, select, update

from streams.border.envelope import bare_name
from streams.border.wire import instant
from streams.desk import tables as t
from streams.desk.acts import saw
from streams.feed import Told
from streams.stores import go_on, positions_in

_HELD, _BLOCKED, _RELEASED, _ALLOWED = range(4)
_ABOUT: Final = {
    "client.merged": "other",
    "campaign.started": "campaign",
    "campaign.ended": "campaign",
    "entity.registered": "entity",
    "asset.classified": "asset",
    "product.classified": "product",
    "country.scoped": "country",
}
"""The field that names what an event is about, besides its client."""


def fold(engine: Engine, told: Sequence[Told]) -> None:
    """Take events in, all or none of them."""
    with engine.begin() as connection:
        known = positions_in(connection, t.position)
        fresh = [each for each in told if each.offset >= known.get(each.log, 0)]
        for kind, take in _FOLDS.items():
            take(connection, [each for each in fresh if each.kind in kind])
        saw(connection, fresh)
        go_on(connection, t.READ_TO, {each.log: each for each in fresh})


def _came(connection: Connection, told: Sequence[Told]) -> None:
    rows = []
    for each in told:
        event = each.event
        kind, data = bare_name(event["type"]), event["data"]
        rows.append(
            {
                "log": each.log,
                "source": event["source"],
                "id": event["id"],
                "kind": kind,
                "client": event["subject"],
                "of_register": each.kind == "register",
                "at": instant(event["time"]),
                "recorded": each.at,
                "place": each.offset,
                "about": data[_ABOUT[kind]] if kind in _ABOUT else None,
                "body": _text(event),
            }
        )
    s = t.said.c
    ids = select(s.log, s.source, s.id).where(s.id.in_({row["id"] for row in rows}))
    known = {tuple(row) for row in connection.execute(ids)} if rows else set()
    t.insert_new(connection, t.said, rows)
    things: list[dict[str, Any]] = []
    for row, each in zip(rows, told, strict=True):
        key = (row["log"], row["source"], row["id"])
        if key in known:
            continue  # The first of an id in its log stands.
        known.add(key)
        data = each.event["data"]
        things += _things(row, data)
        if row["kind"] == "offer.proposed":
            _offered(connection, row, data)
        elif row["kind"] == "review.refused":
            _refused(connection, row["client"], data)
    t.insert_new(connection, t.thing, things)


def _things(row: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What is asked for or offered, each thing once: a standing order asks for nothing, a pure notice offers nothing.

    A promoted thing without a service is of the offer's (judging section 3).
    """
    found: list[Mapping[str, Any]] = []
    if row["kind"] == "client.requested":
        found = [data] if data["kind"] != "recurring_execution" else []
    elif row["kind"] == "offer.proposed":
        found = [data] if data["content"] == "offer" else []
        found += data.get("promotes") or ()
    of_event = {name: row[name] for name in ("log", "source", "id", "client")}
    of_event["offered"] = row["kind"] == "offer.proposed"
    each_once = dict.fromkeys((f.get("service") or data["service"], f.get("product"), f.get("asset")) for f in found)
    for number, (service, product, asset) in enumerate(each_once):
        yield {**of_event, "number": number, "service": service, "product": product, "asset": asset}


def _offered(connection: Connection, row: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """What was offered, to answers that were read before it."""
    d = t.decision.c
    of = (d.client == row["client"]) & (d.source == row["source"]) & (d.event == row["id"])
    of &= d.leading != t.UNREADABLE
    named = {"service": data["service"], "asset": data.get("asset"), "product": data.get("product")}
    connection.execute(update(t.decision).where(of).values(**named))


def _refused(connection: Connection, client: str, data: Mapping[str, Any]) -> None:
    """An answer leaves the queue; one about another client than the refusal's stays."""
    found = (t.decision.c.id == data["decision"]) & (t.decision.c.client == client)
    done = connection.execute(update(t.decision).where(found).values(refused_by=data["by"], open=False))
    if done.rowcount:
        connection.execute(delete(t.country).where(t.country.c.decision == data["decision"]))


def _decided(connection: Connection, told: Sequence[Told]) -> None:
    if not told:
        return
    rows = {row["id"]: row for row in map(_decision, told)}
    for known in connection.execute(select(t.decision.c.id).where(t.decision.c.id.in_(rows))):
        del rows[known.id]
    _know_offers(connection, rows)
    t.insert_new(connection, t.decision, list(rows.values()))
    held = {id for id, row in rows.items() if row["open"]}
    t.insert_new(connection, t.country, [c for each in told for c in _countries(each) if c["decision"] in held])
    replaced = [{"old": r["supersedes"], "new": id} for id, r in rows.items() if r["supersedes"]]
    later = select(t.decision.c.id, t.decision.c.supersedes).where(t.decision.c.supersedes.in_(rows))
    replaced += [{"old": row.supersedes, "new": row.id} for row in connection.execute(later)]
    if replaced:
        named = update(t.decision).where(t.decision.c.id == bindparam("old"))
        connection.execute(named.values(replaced_by=bindparam("new"), open=False), replaced)
        connection.execute(delete(t.country).where(t.country.c.decision.in_([each["old"] for each in replaced])))
    refusals = select(t.said.c.client, t.said.c.body).where(
        (t.said.c.kind == "review.refused") & t.said.c.client.in_({r["client"] for r in rows.values()})
    )
    for row in connection.execute(refusals).all():
        refused = msgspec.json.decode(row.body)["data"]
        if refused["decision"] in rows:
            _refused(connection, row.client, refused)


def _know_offers(connection: Connection, rows: Mapping[str, dict[str, Any]]) -> None:
    """What was offered, from events that were read before their answers."""
    s = t.said.c
    read = [row for row in rows.values() if row["leading"] != t.UNREADABLE]
    wanted = {row["event"] for row in read}
    offers = select(s.client, s.source, s.id, s.body).where((s.kind == "offer.proposed") & s.id.in_(wanted))
    known = {(o.client, o.source, o.id): msgspec.json.decode(o.body)["data"] for o in connection.execute(offers)}
    for row in read:
        data = known.get((row["client"], row["source"], row["event"]), {})
        row["service"] = data.get("service", row["service"])
        row["asset"], row["product"] = data.get("asset"), data.get("product")


def _decision(told: Told) -> dict[str, Any]:
    data = told.event["data"]
    may, verdict, scope = data["may_send"], data["verdict"], data["scope"] or {}
    rank = (_RELEASED if verdict == "flag" else _ALLOWED) if may else _HELD if verdict == "flag" else _BLOCKED
    event, because = data["event"], data["because"] or {}
    return {
        "id": data["decision"],
        "client": data["client"],
        "offer": data["offer"],
        "source": event["source"],
        "event": event["id"],
        "verdict": verdict,
        "leading": data["leading"],
        "rank": rank,
        "open": rank in (_HELD, _BLOCKED),
        "send_by": _maybe(data["send_by"]),
        "hard_until": _maybe(scope.get("hard_until")),
        "at": _maybe(data["at"]),
        "recorded": instant(data["recorded_at"]),
        "place": told.offset,
        "supersedes": data["supersedes"],
        "because": because.get("id"),
        "service": data.get("service") or "",
        "asset": None,
        "product": None,
        "body": _text(told.event),
    }


def _countries(told: Told) -> list[dict[str, str]]:
    data = told.event["data"]
    return [{"country": c, "decision": data["decision"]} for c in data.get("countries") or (t.NOT_KNOWN,)]


def _noticed(connection: Connection, told: Sequence[Told]) -> None:
    rows = []
    for each in told:
        event, data = each.event, each.event["data"]
        scope = data["scope"]
        rows.append(
            {
                "id": event["id"],
                "name": bare_name(event["type"]),
                "client": data["client"],
                "service": scope["service"],
                "asset": scope["asset"],
                "opened": instant(scope["opened_at"]),
                "soft": instant(scope["soft_until"]),
                "hard": instant(scope["hard_until"]),
                "state": scope["state"],
                "recorded": instant(event["time"]),
                "place": each.offset,
                "because": data["because"],
            }
        )
    t.insert_new(connection, t.notice, rows)


def _opened(connection: Connection, told: Sequence[Told]) -> None:
    named = select(t.closing.c.case).where(t.closing.c.case.in_({each.event["data"]["case"] for each in told}))
    closed = set(connection.execute(named).scalars()) if told else set()  # By people, before the logs were read again.
    rows = []
    for each in told:
        data = each.event["data"]
        rows.append(
            {
                "id": data["case"],
                "why": data["why"],
                "said": data["said"],
                "client": data.get("client"),
                "decisions": _text(data["decisions"]),
                "facts": _text(data["facts"]),
                "law": data.get("law"),
                "recorded": instant(each.event["time"]),
                "closed": data["case"] in closed,
                "cut": data.get("cut", False),
            }
        )
    t.insert_new(connection, t.case, rows)


def _rejected(connection: Connection, told: Sequence[Told]) -> None:
    rows = []
    for each in told:
        event = each.event
        row = {"log": each.log, "number": each.offset, "recorded": each.at, "raw": event.get("raw", "")}
        said = {"reason": event.get("reason", ""), "message": event.get("message", "")}
        rows.append(row | said | {"source": event.get("source"), "id": event.get("id")})
    t.insert_new(connection, t.reject, rows)


_FOLDS = {
    ("action", "register"): _came,
    ("decision",): _decided,
    ("notice",): _noticed,
    ("case",): _opened,
    ("rejected",): _rejected,
}


def _maybe(text: str | None) -> int | None:
    return None if text is None else instant(text)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
