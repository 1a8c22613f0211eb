"""One question: what would the gate answer if this offer were proposed now?

The same `step` as for an offer's event, on a copy of the dossier; whatever else would follow is left aside.
"""

import json
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final

from gate.arrival import step
from gate.effects import Answer
from gate.facts import Fact, Instant
from gate.instants import text
from streams.ask.reader import Seen
from streams.border.envelope import NESTED
from streams.border.wire import FIELDS, Rejected, object_of, read
from streams.publish import answer_data

SOURCE = "//gate61/ask"
SENT: Final = frozenset(FIELDS["offer.proposed"]) | {"time"}
"""The fields of what would be sent."""
_ANY_TIME = 2**62
"""Planning ahead: an offer that is only asked about may lie in the future."""


class QuestionRefused(Exception):
    """A question that cannot be read: a reason of the border, and what is wrong."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def question(body: bytes, now: Instant) -> Fact:
    """The offer that is asked about: the data of `offer.proposed`, with `client`, and `time` where it is not now.

    It is read as strictly as an event, and more: a field that is not known is refused, not passed over, since a misspelt
    `promotes` would make the answer too soft. `offer` may be left out while the offer has no id yet.
    """
    given = object_of(body)
    if isinstance(given, Rejected):
        raise QuestionRefused(given.reason, given.message)
    if given.get("client") is None:
        raise QuestionRefused("BAD_FIELD", "`client` is missing: say for whom the offer is")
    if "data" in given:
        raise QuestionRefused("BAD_FIELD", "`data` is no field of a question: put its fields beside `client`")
    only(given, SENT | {"client"}, "")
    client, time = given.pop("client"), given.pop("time", None)
    return offer_of(client, time, given, f"check-{blake2b(body, digest_size=12).hexdigest()}", now)


def offer_of(client: object, time: object, data: dict[str, Any], id: str, now: Instant, where: str = "") -> Fact:
    """The offer as an event that arrives now; `time` None is now. `where` stands before its fields' names in the request."""
    for name in NESTED.keys() & data.keys():
        for thing in data[name] if isinstance(data[name], list) else ():
            only(thing if isinstance(thing, dict) else {}, NESTED[name], f"{where}{name}.")
    asked = {
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": "gate61.offer.proposed.v1",
        "subject": client,
        "time": text(now) if time is None else time,
        "data": {**data, "offer": id if data.get("offer") is None else data["offer"]},
    }
    event = read(json.dumps(asked).encode(), now, _ANY_TIME, now)
    if isinstance(event, Rejected):
        raise QuestionRefused(event.reason, _as_asked(event.message, where))
    return event.fact


def only(given: dict[str, Any], known: Iterable[str], where: str) -> None:
    """`QuestionRefused` where a field is given that is none of these; `where` stands before its name."""
    unknown = sorted(given.keys() - set(known))
    if unknown:
        names = ", ".join(sorted(known))
        raise QuestionRefused("BAD_FIELD", f"`{where}{plain(unknown[0])}` is no field here; there are {names}")


def plain(name: str) -> str:
    """What somebody called a field, as text that can be sent back."""
    return ascii(name[:64])[1:-1]


def _as_asked(message: str, where: str) -> str:
    """A complaint about the event, with the names that stand in the question."""
    return message.replace("`subject`", "`client`").replace("`data.", f"`{where}").replace("`time`", f"`{where}time`")


def answer_to(offer: Fact, seen: Seen) -> Answer | None:
    """What the gate would answer to the offer's event on what is seen, using the dossier up; None asks for the history."""
    stepped = step(seen.known, offer, seen.policy, seen.history)
    if isinstance(stepped, str):
        return None
    return next(a for a in stepped.answers if a.offer.key == offer.key)


def told(answer: Answer, seen: Seen, now: Instant) -> dict[str, Any]:
    """The answer in the shape of `offer.decided`; it is no decision, has no id and is published nowhere."""
    data = answer_data(answer, seen.policy)
    return {**data, "decision": None, "synchronous": True, "read_up_to": seen.read_up_to.told(now)}
