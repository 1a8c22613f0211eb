"""Alerts told in a test: events as the gate says them, a clock that is set, and what is then to be delivered."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from gate.instants import text
from streams.alerts import tables as t
from streams.alerts.config import Channel, Config, Grouping
from streams.alerts.grouping import fold, lapse
from streams.alerts.signing import Signer
from streams.alerts.speaking import speak
from streams.alerts.tables import opened
from streams.border.wire import instant
from streams.feed import Kind, Told
from streams.stores import positions

SHARED = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
START = instant("2026-03-02T10:00:00Z")
Event = dict[str, Any]


def decided(
    decision: str,
    client: str = "c-1",
    leading: str = "CAMPAIGN_EXPOSURE",
    verdict: str = "flag",
    service: str | None = "custody",
    *,
    supersedes: str | None = None,
    may_send: bool = False,
    also: tuple[str, ...] = (),
    at: str = "2026-03-02T10:00:00Z",
    hard_until: str = "2099-03-12T10:00:00Z",
) -> Event:
    """An `offer.decided`, as far as alerts read it."""
    codes = (leading, *also)
    scope = None
    if service:
        scope = {"service": service, "asset": None, "opened_at": at, "soft_until": at, "hard_until": hard_until}
        scope["state"] = "open"
    data = {
        "decision": decision,
        "event": {"source": "shop", "id": f"e-{decision}"},
        "offer": f"offer-{decision}",
        "client": client,
        "verdict": verdict,
        "may_send": may_send,
        "send_by": None,
        "leading": leading,
        "reasons": [{"code": c, "said": f"said of {c} about {client}", "verdict": verdict, "facts": []} for c in codes],
        "scope": scope,
        "at": at,
        "recorded_at": at,
        "supersedes": supersedes,
        "because": {"source": "shop", "id": "late"} if supersedes else None,
    }
    return {"type": "gate61.offer.decided.v1", "id": decision, "subject": client, "time": at, "data": data}


def released(decision: str, supersedes: str, client: str = "c-1") -> Event:
    """Two people have let it go."""
    return decided(decision, client, "RELEASED", supersedes=supersedes, may_send=True)


def case(id: str, why: str = "LATE_EVIDENCE", client: str | None = "c-1", at: str = "2026-03-02T10:00:00Z") -> Event:
    """A `case.opened`."""
    data = {"case": id, "why": why, "said": f"a person must look: {why}", "decisions": [], "facts": []}
    data |= {"client": client} if client else {}
    return {"type": "gate61.case.opened.v1", "id": id, "time": at, "data": data}


def refused(decision: str, client: str = "c-1") -> Event:
    """People said no to a release."""
    data = {"decision": decision, "by": "staff-1", "reason": "no"}
    told = {"type": "gate61.review.refused.v1", "id": f"r-{decision}", "subject": client}
    return told | {"time": "2026-03-02T10:00:00Z", "data": data}


_KINDS: dict[str, tuple[Kind, str]] = {
    "gate61.offer.decided.v1": ("decision", "out"),
    "gate61.case.opened.v1": ("case", "out"),
    "gate61.review.refused.v1": ("action", "taken"),
}


def channel(name: str = "siem", kind: str = "webhook", **more: Any) -> Channel:
    """A receiver that wants everything."""
    given: dict[str, Any] = {"url": "http://127.0.0.1:9/", "signer": Signer([SHARED])} | more
    return Channel(name, kind, **given)


@dataclass
class Telling:
    """A store, its configuration, and what time it is."""

    folder: Path
    config: Config
    now: int = START
    engine: Engine = field(init=False)
    offsets: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = opened(f"sqlite:///{self.folder / 'alerts.db'}")

    def __call__(self) -> int:
        """As a clock."""
        return self.now

    def told(self, *events: Event) -> list[Told]:
        """Events as they stand in the logs."""
        found = []
        for event in events:
            kind, log = _KINDS[event["type"]]
            offset = self.offsets[log] = self.offsets.get(log, 0) + 1
            found.append(Told(log, offset, kind, instant(event["time"]), event, json.dumps(event).encode()))
        return found

    def happens(self, *events: Event) -> dict[str, int]:
        """They are read, in one batch."""
        return fold(self.engine, self.config, self.told(*events), self.now)

    def after(self, seconds: float) -> list[Event]:
        """So much later, what is said then, by channel's order."""
        self.now += round(seconds * 1_000_000)
        before = len(self.messages())
        lapse(self.engine, self.config, self.now)
        speak(self.engine, self.config, self.now)
        return self.messages()[before:]

    def through(self, seconds: int, step: float = 1.0) -> list[Event]:
        """All that is said in that time, looked at each `step` seconds."""
        return [m for _ in range(round(seconds / step)) for m in self.after(step)]

    def messages(self, channel: str | None = None) -> list[Event]:
        """All messages, in order."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(t.delivery).order_by(t.delivery.c.number)).mappings().all()
        return [
            json.loads(r["body"]) | {"id": r["id"], "channel": r["channel"]}
            for r in rows
            if channel is None or r["channel"] == channel
        ]

    def group(self) -> Event:
        """The only group there is."""
        with self.engine.connect() as connection:
            return dict(connection.execute(select(t.group)).mappings().one())

    def positions(self) -> dict[str, int]:
        """How far the logs were read."""
        return positions(self.engine, t.position)


def config(*channels: Channel, **grouping: Any) -> Config:
    """Receivers, and times in seconds."""
    times = {n: v if n == "flood" else round(v * 1_000_000) for n, v in grouping.items()}
    used = channels or (channel(),)
    return Config({c.name: c for c in used}, Grouping(**times), frozenset({"127.0.0.1", "localhost"}))


def at(moment: int) -> str:
    """As the wire says it."""
    return text(moment)
