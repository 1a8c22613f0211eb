"""How a message reaches each kind of receiver; what came of it as an `Attempt`, never an error."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from gate.facts import Instant
from streams.alerts import by_apprise
from streams.alerts.config import Channel
from streams.alerts.outbox import Attempt, Delivery
from streams.alerts.posting import NotPosted, Poster, Reply

_SEVERITIES: Final = {"warning": "warning", "error": "error", "urgent": "critical", "test": "info"}
_SUMMARY: Final = 1_024
"""Characters of a summary (PagerDuty Events API v2)."""
NOTHING_TO_SAY: Final = Attempt(True, "nothing to say there")
_encode = msgspec.json.Encoder().encode


class Receiver(Protocol):
    """One channel's way out."""

    async def send(self, delivery: Delivery, now: Instant) -> Attempt:
        """One attempt; ends within its time."""


def receiver(channel: Channel, poster: Poster, allowed: frozenset[str]) -> Receiver:
    """The way out of a channel."""
    match channel.kind:
        case "webhook":
            return _Webhook(channel, poster)
        case "pagerduty":
            return _PagerDuty(channel, poster)
        case _:
            return _Apprise(channel, allowed)


class _Webhook:
    """Standard Webhooks 1.0."""

    def __init__(self, channel: Channel, poster: Poster) -> None:
        self._channel, self._poster = channel, poster

    async def send(self, delivery: Delivery, now: Instant) -> Attempt:
        """Signed anew for each attempt: receivers refuse stamps that are minutes old."""
        signer = self._channel.signer
        assert signer is not None
        try:
            headers = signer.headers(delivery.id, now, delivery.body)
            reply = await self._poster.post(self._channel.url, headers, delivery.body, now)
        except NotPosted as error:
            return Attempt(False, str(error))
        return _attempt(reply)


def _attempt(reply: Reply) -> Attempt:
    status = reply.status
    if 200 <= status < 300:
        return Attempt(True, f"arrived ({status})", status)
    if status == 410:
        return Attempt(False, "the receiver said that it is gone (410); the channel is disabled", status, gone=True)
    what = f"refused ({status})"
    if 300 <= status < 400:
        what = f"it redirects ({status}), which is not followed; set the address it leads to"
    after = reply.retry_after
    return Attempt(False, f"{what}: {reply.said}" if reply.said else what, status, retry_after=after)


class _PagerDuty:
    """Events API v2: one incident a group or flood, resolved when nothing of it is held any more."""

    def __init__(self, channel: Channel, poster: Poster) -> None:
        self._channel, self._poster = channel, poster

    async def send(self, delivery: Delivery, now: Instant) -> Attempt:
        """A trigger or a resolve; a case is for people to resolve there."""
        event = pagerduty_event(msgspec.json.decode(delivery.body), delivery.id, self._channel.routing_key)
        if event is None:
            return NOTHING_TO_SAY
        try:
            reply = await self._poster.post(self._channel.url, {}, _encode(event), now)
        except NotPosted as error:
            return Attempt(False, str(error))
        if reply.status == 400:
            return Attempt(False, f"refused for good (400): {reply.said}", 400, hopeless=True)
        return _attempt(reply)


def pagerduty_event(message: Mapping[str, Any], id: str, routing_key: str) -> dict[str, Any] | None:
    """A message as an event; None where there is nothing to trigger or resolve."""
    data = message["data"]
    event: dict[str, Any] = {"routing_key": routing_key, "dedup_key": data["alert"]}
    if data["over"]:
        return None if data["counts"]["cases"] else event | {"event_action": "resolve"}
    if message["type"].endswith(".closed"):
        return None
    payload = {
        "summary": data["title"][:_SUMMARY],
        "source": "gate61",
        "severity": _SEVERITIES[data["severity"]],
        "timestamp": message["timestamp"],
        "component": data.get("service") or "gate61",
        "group": data.get("reason") or "flood",
        "class": message["type"],
        "custom_details": {"message": id, **data},
    }
    return event | {"event_action": "trigger", "payload": payload}


class _Apprise:
    """Everything else: mail, chats and the rest, through the library apprise."""

    def __init__(self, channel: Channel, allowed: frozenset[str]) -> None:
        self._channel, self._allowed = channel, allowed
        self._turn = asyncio.Lock()

    async def send(self, delivery: Delivery, now: Instant) -> Attempt:
        """One at a time: each takes a process of its own."""
        message = msgspec.json.decode(delivery.body)
        async with self._turn:
            arrived, said = await by_apprise.send(
                self._channel.url, message["data"]["title"], lines(message, delivery.id), self._allowed
            )
        return Attempt(arrived, said)


def lines(message: Mapping[str, Any], id: str) -> str:
    """A message as plain text for people."""
    data = message["data"]
    told = [data["title"], ""]
    for offer in data.get("offers", ()):
        which = offer.get("decision") or offer.get("case")
        told.append(f"- {offer['state']}: {which} ({offer['recorded_at']}) {offer.get('said', '')}".rstrip())
    told += _more(data.get("offers_left_out", 0), "more came in")
    for fix in data.get("corrections", ()) if "offers" in data else ():
        told.append(f"- corrected: {fix['decision']} was {fix['was']}, is now {fix['now']} by {fix['by']}")
    told += _more(data.get("corrections_left_out", 0), "more corrections")
    for word in ("came_in", "corrections") if "came_in" in data else ():
        for row in data[word]:
            state = row["state"].replace(">", " to ")
            told.append(f"- {row['count']} ({row['new']} new) {state}: {row['reason']} {row['service']}".rstrip())
    return "\n".join([*told, "", f"{data['alert']}, {message['timestamp']}, {id}"])


def _more(count: int, what: str) -> list[str]:
    return [f"- and {count} {what}"] if count else []


def trial(channel: Channel, id: str, at: str, over: bool = False) -> bytes:
    """The body of a test alert."""
    counts = dict.fromkeys(("taken", "new", "held", "blocked", "cases", "gone", "corrected"), 0)
    title = f"a test of channel {channel.name}: nothing has happened"
    data = {"alert": f"test-{id}", "sequence": 1, "over": over, "severity": "test", "title": title, "counts": counts}
    return _encode({"type": "gate61.alert.test", "timestamp": at, "data": data})
