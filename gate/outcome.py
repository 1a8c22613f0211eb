"""The answer and how verdicts combine: the law of combination on one screen (judging section 2)."""

from enum import IntEnum
from typing import Final

from msgspec import Struct

from gate.facts import Instant
from gate.law import DUTIES
from gate.policy import Policy


class Verdict(IntEnum):
    """allow < flag < block; a flag is held for a person."""

    ALLOW = 0
    FLAG = 1
    BLOCK = 2

    @property
    def word(self) -> str:
        """As on the wire."""
        return _WORDS[self]


_WORDS: Final = ("allow", "flag", "block")
SHOWN_FACTS: Final = 8
"""Ids that one reason names at most: a client may have any number of signs and papers."""
SHOWN_SENTENCES: Final = 8
"""Of one code, where an offer is of many things."""


class Reason(Struct, frozen=True, array_like=True):
    """Why: a code of `gate.law`, its verdict, a sentence for people, and the ids of the facts it leans on.

    `covers` names the solicitations, assets and products it is about, uncut: what a release would cover.
    """

    code: str
    verdict: Verdict
    said: str
    facts: tuple[str, ...]
    covers: tuple[str, ...] = ()


class ScopeView(Struct, frozen=True, array_like=True):
    """The scope an answer rests on."""

    service: str
    asset: str | None
    opened_at: Instant
    soft_until: Instant
    hard_until: Instant
    state: str


def view_of(service: str, asset: str | None, opened: Instant, state: str, policy: Policy) -> ScopeView:
    """The scope that a request of that time opened, as it is told: with its limits."""
    return ScopeView(service, asset, opened, opened + policy.soft_limit, opened + policy.hard_limit, state)


class Outcome(Struct, frozen=True, array_like=True):
    """One answer with every reason, gravest first; `ended` is the step that ended the judging, or 0."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    scope: ScopeView | None = None
    initiation: tuple[str, str, tuple[str, ...]] = ("unknown", "none", ())
    ended: int = 0

    @property
    def leading(self) -> str:
        """The code that decided."""
        return self.reasons[0].code

    @property
    def codes(self) -> list[str]:
        """All codes, gravest first."""
        return [r.code for r in self.reasons]

    @property
    def send_by(self) -> Instant | None:
        """How long an allow can be used; None for one that no scope carries (judging section 7)."""
        return self.scope.soft_until if self.verdict is Verdict.ALLOW and self.scope else None


def combine(reasons: list[Reason]) -> tuple[Reason, ...]:
    """Each code once with its gravest verdict; gravest first, then in the order of judging."""
    if len(reasons) == 1:
        return (reasons[0],)
    same: dict[str, list[Reason]] = {}
    for reason in reasons:
        same.setdefault(reason.code, []).append(reason)
    joined = [_joined(each) if len(each) > 1 else each[0] for each in same.values()]
    return tuple(sorted(joined, key=lambda r: (-r.verdict, DUTIES[r.code].order)))


def _joined(reasons: list[Reason]) -> Reason:
    """One reason of several things: an offer may promote thousands."""
    sentences = list(dict.fromkeys(r.said for r in reasons))
    said = "; ".join(sentences[:SHOWN_SENTENCES])
    if len(sentences) > SHOWN_SENTENCES:
        said += f"; and {len(sentences) - SHOWN_SENTENCES} more"
    facts = tuple(dict.fromkeys(f for r in reasons for f in r.facts))[:SHOWN_FACTS]
    covers = tuple(dict.fromkeys(c for r in reasons for c in r.covers))
    return Reason(reasons[0].code, max(r.verdict for r in reasons), said, facts, covers)
