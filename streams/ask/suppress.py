"""A whole list before a send: who may be sent this, and who is to be left out, with the reason for each.

The shape is the one that messaging tools know: recipients in, suppressed recipients out. Each recipient is judged as a
question of his own (`check`); nothing is changed. Who is not answered, for whatever reason, is among the suppressed.
"""

import json
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

from gate.effects import Answer
from gate.facts import Fact, Instant
from gate.instants import moment
from gate.law import DUTIES
from streams.ask.check import SENT, QuestionRefused, answer_to, offer_of, only, plain
from streams.ask.reader import Judge, ReadUpTo, Seen, Unreadable
from streams.border.complaints import IDENT_RULE
from streams.border.wire import IDENT, Rejected, object_of

RECIPIENTS: Final = 10_000
"""Of one request."""
BODY_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of one request: so many recipients with all their own fields, and what is sent."""
UNANSWERED: Final = "UNANSWERED"
"""Why somebody is suppressed of whom nothing could be said in time."""
_OWN: Final = ("offer", "transaction", "in_reply_to")
"""What may differ between recipients of one send."""
Entry = dict[str, Any]


class Send(Struct, frozen=True):
    """What is asked: the offer to each recipient that could be read, and what could not be."""

    offers: dict[str, Fact]
    """By recipient."""
    at: Instant
    unreadable: tuple[Entry, ...]


class Judgement(Struct, frozen=True):
    """What the gate says of one recipient."""

    answer: Answer
    policy: tuple[str, str]
    """Version and digest."""
    read: ReadUpTo


def send_of(body: bytes, now: Instant) -> Send:
    """The list and what is to be sent; `QuestionRefused` where that itself cannot be read.

    A field that is not known is refused, as in one question.
    """
    given = object_of(body, BODY_LIMIT)
    if isinstance(given, Rejected):
        raise QuestionRefused(given.reason, given.message)
    only(given, ("send", "recipients"), "")
    send, recipients = given.get("send"), given.get("recipients")
    if not isinstance(send, dict):
        how = "is missing" if send is None else "is no object"
        raise QuestionRefused("BAD_FIELD", f"`send` {how}: an object that says what is to be sent")
    if not isinstance(recipients, list):
        how = "is missing" if recipients is None else "is no list"
        raise QuestionRefused("BAD_FIELD", f'`recipients` {how}: a list of client references, such as ["cl-0", "cl-1"]')
    if len(recipients) > RECIPIENTS:
        raise QuestionRefused("TOO_LARGE", f"{len(recipients)} recipients; send at most {RECIPIENTS} in one request")
    only(send, SENT, "send.")
    id = f"suppress-{blake2b(body, digest_size=12).hexdigest()}"
    time = send.pop("time", None)
    return _read(offer_of("anybody", time, send, id, now, "send."), recipients)


def _read(offer: Fact, recipients: list[Any]) -> Send:
    """Nobody is judged by half of what was said of him: who is named twice, and not the same, is not read."""
    offers: dict[str, Fact] = {}
    twice: dict[str, int] = {}
    unreadable: list[Entry] = []
    for place, given in enumerate(recipients):
        named = given if isinstance(given, dict) else {"recipient": given}
        wrong = _wrong(named)
        if wrong:
            unreadable.append(_unreadable(named.get("recipient"), place, wrong))
            continue
        own = _to(offer, named)
        if offers.setdefault(own.client, own) != own:
            twice[own.client] = place
    unreadable += [
        _unreadable(client, place, "is named twice, with different offers") for client, place in twice.items()
    ]
    return Send({client: own for client, own in offers.items() if client not in twice}, offer.at, tuple(unreadable))


def _wrong(named: dict[str, Any]) -> str:
    """What cannot be read of a recipient; empty if nothing."""
    unknown = named.keys() - {"recipient", *_OWN}
    if unknown:
        return f"`{plain(min(unknown))}` is no field of a recipient; there are recipient, {', '.join(_OWN)}"
    for name in ("recipient", *(n for n in _OWN if named.get(n) is not None)):
        if not isinstance(named.get(name), str) or not IDENT.fullmatch(named[name]):
            return f"`{name}` {IDENT_RULE}"
    return ""


def _to(offer: Fact, named: dict[str, Any]) -> Fact:
    """The offer to one recipient, with what is his own."""
    own = {name: named[name] for name in _OWN if named.get(name) is not None}
    said = msgspec.structs.replace(offer.said, **own) if own else offer.said
    return Fact(offer.source, offer.id, named["recipient"], offer.at, offer.recorded, said)


def _unreadable(recipient: object, place: int, wrong: str) -> Entry:
    """A recipient as he was given, where that is text; `place` counts from 0."""
    given = msgspec.Raw(json.dumps(recipient).encode()) if isinstance(recipient, str) else None
    return {"recipient": given, "place": place, "verdict": None, "leading": "BAD_FIELD", "said": wrong}


def judge_of(send: Send) -> Callable[[str], Judge[Judgement]]:
    """The judging of each recipient."""

    def to(client: str) -> Judge[Judgement]:
        def judge(seen: Seen) -> Judgement | None:
            answer = answer_to(send.offers[client], seen)
            policy = (seen.policy.version, seen.policy.digest)
            return None if answer is None else Judgement(answer, policy, seen.read_up_to)

        return judge

    return to


class Sorted:
    """The recipients as they are answered, one after the other; whoever is not stays suppressed."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._found: dict[str, Judgement | Unreadable] = {}
        self._policy: tuple[str, str] | None = None

    def take(self, client: str, found: Judgement | Unreadable) -> None:
        """What is said of a recipient. All are judged by one policy: another one came into force between them."""
        if isinstance(found, Judgement):
            self._policy = self._policy or found.policy
            if found.policy != self._policy:
                found = Unreadable("another policy came into force meanwhile; ask again")
        self._found[client] = found

    @property
    def answers(self) -> Iterator[Answer]:
        """Of all who were answered."""
        return (found.answer for found in self._found.values() if isinstance(found, Judgement))

    @property
    def unanswered(self) -> list[str]:
        """Who was not."""
        return [c for c in self._send.offers if not isinstance(self._found.get(c), Judgement)]

    def told(self, now: Instant, late: str) -> Entry:
        """The answer to the whole; `late` is said of those who were not reached."""
        sent = [c for c in self._send.offers if self._may_send(c)]
        suppressed = [self._suppressed(c, late) for c in self._send.offers if not self._may_send(c)]
        read = [first.told(now) for first in self._read_up_to()]
        limits = {c: by for c in sent if (by := self._answer(c).standing.send_by) is not None}
        return {
            "asked_at": moment(now),
            "at": moment(self._send.at),
            "may_send": sent,
            "send_by": moment(min(limits.values())) if limits else None,
            "send_by_recipient": {c: moment(by) for c, by in limits.items()},
            "suppress": [*suppressed, *self._send.unreadable],
            "unanswered": self.unanswered,
            "counts": self._counts(len(sent)),
            "policy": dict(zip(("version", "digest"), self._policy, strict=True)) if self._policy else None,
            "read_up_to": read,
            "read_to": read,  # As it was called first; whoever reads it goes on doing so.
            "synchronous": True,
        }

    def _may_send(self, client: str) -> bool:
        found = self._found.get(client)
        return isinstance(found, Judgement) and found.answer.standing.may_send

    def _answer(self, client: str) -> Answer:
        found = self._found[client]
        assert isinstance(found, Judgement)
        return found.answer

    def _suppressed(self, client: str, late: str) -> Entry:
        found = self._found.get(client)
        if not isinstance(found, Judgement):
            why = late if found is None else str(found)
            return {"recipient": client, "verdict": None, "leading": UNANSWERED, "said": why}
        outcome = found.answer.outcome
        reason = outcome.reasons[0]
        told = {"recipient": client, "verdict": outcome.verdict.word, "leading": reason.code, "said": reason.said}
        return {**told, "law": DUTIES[reason.code].law}

    def _counts(self, sent: int) -> Entry:
        words = [a.outcome.verdict.word for a in self.answers if not a.standing.may_send]
        return {
            "recipients": len(self._send.offers) + len(self._send.unreadable),
            "may_send": sent,
            "flag": words.count("flag"),
            "block": words.count("block"),
            "unanswered": len(self.unanswered),
            "unreadable": len(self._send.unreadable),
        }

    def _read_up_to(self) -> list[ReadUpTo]:
        """How far the stream was read, of each partition where it was looked at first."""
        first: dict[int | None, ReadUpTo] = {}
        for found in self._found.values():
            if isinstance(found, Judgement):
                first.setdefault(found.read.partition, found.read)
        return [first[number] for number in sorted(first, key=lambda n: -1 if n is None else n)]
