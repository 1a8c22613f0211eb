"""A bulk mail: 4,000 clients of whom 37 may not be sent it, and why."""

from collections import Counter
from typing import Any, Final

from tests.stories.telling import REGISTER, Event, arrived, asks, in_order, located, proven

NOW: Final = "2026-03-02T12:00:00Z"
ABROAD, ASKED = 3_900, 63
"""Clients outside the Union; clients in it who asked for this, this morning, with an approved record."""
HELD: Final = Counter(
    INITIATION_UNKNOWN=15, WINDOW_SOFT_LIMIT=8, WINDOW_EXPIRED=6, PERSON_CHAIN_SOLICITATION=5, EVIDENCE_ABSENT=3
)
SEND: Final = {"service": "exchange_funds", "asset": "ltc", "channel": "email", "content": "offer"}


def _asking(who: str, at: str = "0 h") -> list[Any]:
    request = asks(who=who, at=at, id=f"asked-{who}", transaction=f"t-{who}")
    return [located(who=who), request, *proven(request["id"], f"{at} + 10 min", who)]


def _held(why: str, who: str) -> list[Any]:
    match why:
        case "INITIATION_UNKNOWN":
            return [located(who=who)]
        case "WINDOW_SOFT_LIMIT":
            return _asking(who, "-2 d")
        case "WINDOW_EXPIRED":
            return _asking(who, "-20 d")
        case "PERSON_CHAIN_SOLICITATION":
            return [*_asking(who), arrived(who=who, via="affiliate")]
        case _:
            return [located(who=who), asks(who=who, id=f"asked-{who}", transaction=f"t-{who}")]


def events() -> list[Event]:
    """What happened before."""
    words: list[Any] = [*REGISTER]
    words += [located("SG", who=f"cl-{n}") for n in range(ABROAD)]
    words += [_asking(f"de-{n}") for n in range(ASKED)]
    words += [_held(why, who) for who, why in held().items()]
    return in_order(words)


def held() -> dict[str, str]:
    """Who is to be suppressed, and the leading reason."""
    return {f"held-{n}": why for n, why in enumerate(HELD.elements())}


def recipients() -> list[Any]:
    """The list as a messaging tool has it: those who asked with the transaction of their own request."""
    plain: list[Any] = [f"cl-{n}" for n in range(ABROAD)]
    own = [f"de-{n}" for n in range(ASKED)] + list(held())
    return plain + [{"recipient": who, "transaction": f"t-{who}"} for who in own]
