"""What alerts are made of: answers that hold or block, cases, and refusals by people, out of what logs tell."""

from datetime import datetime
from typing import Annotated, Final

import msgspec

from gate.facts import Instant
from streams.border.wire import instant_of
from streams.feed import Told

WARNING, ERROR, URGENT = range(3)
SEVERITIES: Final = ("warning", "error", "urgent")
"""A flag is a warning, a block an error; a rule that failed and every case are urgent."""
HELD, BLOCKED, CASE = "held", "blocked", "case"
RELEASED, ALLOWED = "released", "allowed"
LAPSED, REFUSED, REPLACED = "lapsed", "refused", "replaced"
COUNTED: Final = (HELD, BLOCKED, CASE)
"""States of what stands and is alerted to; the others are what became of it."""

_CUT: Final = "(cut, as it was too large) "
_Ident = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00]{1,512}\Z")]
_Zoned = Annotated[datetime, msgspec.Meta(tz=True)]


class Happened(msgspec.Struct, frozen=True):
    """One answer, or one case."""

    id: str
    state: str
    verdict: str
    """`flag`, `block` or `case`; `allow` for what may be sent."""
    reason: str
    """The leading one, or why a case was opened."""
    codes: frozenset[str]
    service: str
    """Empty where it is not known."""
    client: str
    offer: str
    said: str
    severity: int
    recorded: Instant
    lapses: Instant | None = None
    """When nobody can release it any more."""
    supersedes: str | None = None
    because: str | None = None


class Refusal(msgspec.Struct, frozen=True):
    """People refused to release an answer: it is held no longer, if it is one about that client."""

    decision: str
    client: str


class _Reason(msgspec.Struct):
    code: str
    said: str


class _Scope(msgspec.Struct):
    service: _Ident
    hard_until: _Zoned


class _Fact(msgspec.Struct):
    id: _Ident


class _Decision(msgspec.Struct):
    decision: _Ident
    offer: _Ident
    client: _Ident
    verdict: str
    may_send: bool
    leading: _Ident
    reasons: list[_Reason]
    recorded_at: _Zoned
    scope: _Scope | None = None
    supersedes: _Ident | None = None
    because: _Fact | None = None
    service: _Ident | None = None
    cut: bool = False


class _Case(msgspec.Struct):
    case: _Ident
    why: _Ident
    said: str
    client: _Ident | None = None
    cut: bool = False


class Unreadable(Exception):
    """Said to be one of the gate's events, and is none; whoever writes to its topics must be looked for."""


def read(told: Told) -> Happened | Refusal | None:
    """What it means for alerts; None for nothing. Raises `Unreadable`."""
    try:
        if told.kind == "decision":
            return _decided(msgspec.convert(told.event["data"], _Decision))
        if told.kind == "case":
            return _opened(msgspec.convert(told.event["data"], _Case), told)
        if told.kind == "action" and told.event["type"] == "gate61.review.refused.v1":
            named = (told.event["data"]["decision"], told.event["subject"])
            return Refusal(*msgspec.convert(named, tuple[_Ident, _Ident]))
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise Unreadable(f"{told.log}:{told.offset} is no {told.kind} of the gate ({type(error).__name__})") from None
    return None


def _decided(data: _Decision) -> Happened:
    codes = frozenset(r.code for r in data.reasons) | {data.leading}
    held = data.verdict == "flag"
    state = (RELEASED if held else ALLOWED) if data.may_send else HELD if held else BLOCKED
    return Happened(
        data.decision,
        state,
        "allow" if data.may_send else "flag" if held else "block",
        data.leading,
        codes,
        data.service or (data.scope.service if data.scope else ""),
        data.client,
        data.offer,
        _shown(next((r.said for r in data.reasons if r.code == data.leading), ""), data.cut),
        URGENT if "RULE_FAILED" in codes else WARNING if held else ERROR,
        instant_of(data.recorded_at),
        instant_of(data.scope.hard_until) if held and data.scope else None,
        data.supersedes,
        data.because.id if data.because else None,
    )


def _opened(data: _Case, told: Told) -> Happened:
    return Happened(
        data.case,
        CASE,
        "case",
        data.why,
        frozenset((data.why,)),
        "",
        data.client or "",
        "",
        _shown(data.said, data.cut),
        URGENT,
        told.at,
    )


def _shown(text: str, cut: bool) -> str:
    """That it was cut stands first, since messages end after so many characters. PostgreSQL takes no NUL."""
    return f"{_CUT if cut else ''}{text}".replace("\x00", "\N{REPLACEMENT CHARACTER}")
