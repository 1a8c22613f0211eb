"""The dossier: all that is needed to judge any offer that is not older than what was seen, in bounded room.

Facts are kept, conclusions are derived. What grows with a client's past is cut: solicitations of one promoter to the
four earliest and four latest, all else by `gate.trimming` (design section 2, two tiers of memory).
"""

from bisect import insort
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from msgspec import Struct, field

from gate.facts import Instant, Thing
from gate.forgotten import Forgotten
from gate.packing import replaced
from gate.policy import HARD_LIMIT_REFUSED, REQUIRED_CHANNELS

BEFORE_EVERYTHING: Final[Instant] = -(2**62)
NEVER: Final[Instant] = BEFORE_EVERYTHING - 1

KEPT_TOUCHES = 4
KEPT_ASSETS = 48
KEPT_PROMPTS: Final = 4
NO_REQUEST: Final = ""
ALWAYS: Final[Instant] = 0
"""Age of a prompt that every hard limit covers."""
UNPROMPTED: Final[Instant] = HARD_LIMIT_REFUSED
"""Stands for the age of a prompt where there is none: no policy's hard limit is so long."""
ANY: Final = "*"
"""Stands for any asset, or any policy mark, when it is not known which."""


class Touch(Struct, frozen=True, array_like=True, order=True):
    """An event that reached the client, by time, then id."""

    at: Instant
    id: str


class Span(Struct, array_like=True):
    """What one promoter did: all of it while it is little, then the earliest and the latest."""

    count: int = 0
    entries: list[Touch] = field(default_factory=list)

    def add(self, touch: Touch, full: bool) -> None:
        """Take a touch in; unless `full`, keep the four earliest and four latest."""
        self.count += 1
        insort(self.entries, touch)
        if len(self.entries) > 2 * KEPT_TOUCHES and not full:
            del self.entries[KEPT_TOUCHES]

    @property
    def complete(self) -> bool:
        """Whether nothing was cut."""
        return self.count == len(self.entries)


class Single(Struct, frozen=True, array_like=True):
    """A touch that somebody narrowed, hence kept by itself; `key` as in `Reached.touches`."""

    key: str
    touch: Touch


class Indication(Struct, frozen=True, array_like=True):
    """A location indicator in force."""

    at: Instant
    country: str
    until: Instant | None
    id: str


def accused_since(solicited_at: Instant | None, at: Instant) -> Instant:
    """From when an accusation filed at that time says that the client was solicited; never later than it was filed."""
    return BEFORE_EVERYTHING if solicited_at is None else min(solicited_at, at)


class Filing(Struct, frozen=True, array_like=True):
    """One `evidence.filed`."""

    at: Instant
    id: str
    evidence: str
    kind: str
    supports: str
    by: str
    searched: tuple[int | str, ...] = ()
    """Channels: places in the default list of required ones, other names as they are."""
    solicited_at: Instant | None = None

    @property
    def since(self) -> Instant:
        """Of an accusation, from when it says that the client was solicited (judging section 1)."""
        return accused_since(self.solicited_at, self.at)

    @property
    def channels(self) -> set[str]:
        """The channels that were searched."""
        return {REQUIRED_CHANNELS[c] if isinstance(c, int) else c for c in self.searched}


_PLACES: Final = {name: n for n, name in enumerate(REQUIRED_CHANNELS)}


def channels_kept(channels: tuple[str, ...] | None) -> tuple[int | str, ...]:
    """Names of channels as a filing keeps them."""
    return tuple(_PLACES.get(name, name) for name in channels or ())


class Narrowing(Struct, frozen=True, array_like=True):
    """The latest narrowing of one exposure."""

    at: Instant
    leaves: tuple[Thing, ...]


class Sent(Struct, frozen=True, array_like=True):
    """When a thing was named to the client.

    `ever`: first by something that prompts however long ago it was; `let_go`: last by an offer that was let go.
    """

    ever: Touch | None
    let_go: Touch | None


class Reached(Struct, array_like=True):
    """What merged clients share: locations, solicitations, sendings, the relationship (judging section 6)."""

    indicators: dict[str, list[Indication]] = field(default_factory=dict)
    countries: list[str] = field(default_factory=list)
    """Wherever the client was ever located."""
    touches: dict[str, Span] = field(default_factory=dict)
    """Solicitations by who made them: `p:ENTITY`, `r:ENTITY` (rewarded), `f:` (the firm), `t:CAMPAIGN` (a tag), or
    `d:ENTITY` (who acted in what was sent)."""
    singles: list[Single] = field(default_factory=list)
    accusations: list[Filing] = field(default_factory=list)
    approvals: dict[str, dict[str, Instant]] = field(default_factory=dict)
    """Who approved which evidence, and when at the latest."""
    withdrawn: dict[str, Instant] = field(default_factory=dict)
    """Evidence that two people withdrew, and when at the latest."""
    narrowings: dict[str, Narrowing] = field(default_factory=dict)
    sent: dict[Thing, Sent] = field(default_factory=dict)
    state: str = "exempt"
    state_at: Instant | None = None
    state_before: str = "exempt"
    state_facts: list[str] = field(default_factory=list)
    unsigned_at: Instant | None = None
    """The latest change to a milder state that one person signed alone; it counts for nothing."""


class Prompt(Struct, frozen=True, array_like=True, order=True):
    """What prompted a request, under every hard limit that is at least its age (`ago`)."""

    ago: Instant
    """How long before the request it was sent; `ALWAYS` where that does not matter."""
    id: str
    """The event that was sent, or what the request replies to."""


class Scope(Struct, array_like=True):
    """One request of kind request or order (judging section 4)."""

    opened: Instant
    source: str
    id: str
    service: str
    product: str | None
    asset: str | None
    transaction: str
    prompts: list[Prompt]
    """The latest first, as many as a reason names."""
    tainted: bool = False
    """Whether `scope.tainted` was said already."""

    def prompted(self, hard_limit: Instant) -> list[str]:
        """What prompted the request by this hard limit."""
        return [p.id for p in self.prompts if p.ago <= hard_limit]

    def shut_at(self, hard_limit: Instant) -> Instant:
        """When its window is shut by this hard limit; at that time itself it is."""
        return self.opened + hard_limit

    @property
    def key(self) -> tuple[str, str]:
        """Source and id of the request."""
        return (self.source, self.id)

    @property
    def rank(self) -> tuple[Instant, str, str]:
        """Of equals the latest counts; of one time the greater (source, id)."""
        return (self.opened, self.source, self.id)

    @property
    def thing(self) -> Thing:
        """The thing asked for."""
        return Thing(self.service, self.asset, self.product)  # type: ignore[arg-type]


def latest_of_each(scopes: Iterable[Scope]) -> dict[str, Scope]:
    """The latest scope of each service."""
    found: dict[str, Scope] = {}
    for scope in scopes:
        keep_latest(found, scope)
    return found


def keep_latest(latest: dict[str, Scope], scope: Scope) -> None:
    """Take one more scope into the latest ones of each service."""
    known = latest.get(scope.service)
    if known is None or scope.rank > known.rank:
        latest[scope.service] = scope


class Standing(Struct, array_like=True):
    """An offer that was judged and the answer that stands."""

    at: Instant
    source: str
    id: str
    offer: str
    decision: str
    verdict: int
    may_send: bool
    send_by: Instant | None
    hard_until: Instant | None
    releasable: bool
    """Whether people may release it: a flag, or a block of TYPE_UNCLASSIFIED alone."""
    released_at: Instant | None = None
    names: tuple[Thing, ...] = ()
    by: str | None = None
    """Who acted; None is the firm itself."""

    @property
    def event(self) -> tuple[str, str]:
        """Source and id of the offer event."""
        return (self.source, self.id)


class Dossier(Struct, array_like=True):
    """Everything of one client for the normal path."""

    client: str
    own: Reached = field(default_factory=Reached)
    kin: dict[str, Reached] = field(default_factory=dict)
    scopes: list[Scope] = field(default_factory=list)
    filings: dict[str, list[Filing]] = field(default_factory=dict)
    """Evidence by the id of its request; what names none, save of solicitation, under `NO_REQUEST`."""
    declared: Touch | None = None
    own_events: dict[str, tuple[Instant, Instant]] = field(default_factory=dict)
    """Own events that a request may reply to: time, and the shortest hard limit by which it was prompted itself."""
    offers: list[Standing] = field(default_factory=list)
    horizon: Instant = NEVER
    """The latest time of a fact; an older offer is judged from the history."""
    last_offer: Instant = NEVER
    first_scope: Touch | None = None
    suspended_said: bool = False
    conflict_said: str = ""
    dropped: int = 0
    """How many things were cut; what was cut is in the history."""
    spilled: dict[str, Instant] = field(default_factory=dict)
    """Transactions of scopes that were cut although they could still carry an offer, with their hard limits."""
    delivered: tuple[Instant, list[str]] = (0, [])
    """The latest time of a delivery and the offers delivered at it."""
    greeted: list[str] = field(default_factory=list)
    """Merged clients who were told this client's facts."""
    waiting: list[str] = field(default_factory=list)
    """Ids that requests replied to and that are not (yet) an own, earlier, unprompted event."""
    waiting_cut: bool = False
    full: bool = False
    """Built from the history with nothing cut; never stored."""
    sent_cut: Instant | None = None
    """The latest sending that was cut because it could prompt only what is late."""
    forgotten: Forgotten = field(default_factory=Forgotten)
    """Names of what was cut."""
    repeated: list[str] = field(default_factory=list)
    """Assets of requests that opened no scope; `ANY` where there were too many."""
    concluded: str = ""
    """Mark of the policy (`gate.policy.concluding`) by which scopes or sendings were cut or mixed notices read;
    empty if none."""
    untold: Instant | None = None
    """When the latest of the scopes was opened that were cut and not said to be tainted."""

    def members(self) -> tuple[Reached, ...]:
        """Own first, then all who are the same person."""
        return (self.own, *self.kin.values()) if self.kin else (self.own,)

    def located(self) -> tuple[str, ...]:
        """Wherever the client, or who is the same person, was ever located; sorted."""
        return tuple(sorted({c for reached in self.members() for c in reached.countries}))

    def every_filing(self) -> Iterator[Filing]:
        """Every own filing that is kept; one may come twice."""
        return chain(self.own.accusations, *self.filings.values())

    def filed(self, evidence: str) -> list[Filing]:
        """Every own filing of this evidence that is kept; one may be listed twice."""
        return [f for f in self.every_filing() if f.evidence == evidence]

    def filers(self, evidence: Iterable[str]) -> dict[str, set[str]]:
        """Who filed each of these, as far as is kept: they do not approve it."""
        found: dict[str, set[str]] = {one: set() for one in evidence}
        for filing in self.every_filing():
            if filing.evidence in found:
                found[filing.evidence].add(filing.by)
        return found

    def accused(self, evidence: str) -> bool:
        """Whether this evidence says that the client was solicited."""
        return any(a.evidence == evidence for a in self.own.accusations)

    def scope(self, source: str, id: str) -> Scope | None:
        """The scope that a request opened."""
        return next((s for s in self.scopes if s.id == id and s.source == source), None)

    @property
    def latest(self) -> Instant:
        """The latest time that a change of the register could touch."""
        return self.horizon if self.horizon > self.last_offer else self.last_offer


def branched(dossier: Dossier) -> Dossier:
    """Another dossier to take sendings and requests into; what these leave alone is shared."""
    return replaced(
        dossier,
        own=_branched(dossier.own),
        kin={who: _branched(reached) for who, reached in dossier.kin.items()},
        scopes=[*dossier.scopes],
        own_events=dict(dossier.own_events),
        waiting=[*dossier.waiting],
        forgotten=replaced(dossier.forgotten),
    )


def _branched(reached: Reached) -> Reached:
    touches = {key: Span(span.count, [*span.entries]) for key, span in reached.touches.items()}
    return replaced(reached, touches=touches, singles=[*reached.singles], sent=dict(reached.sent))
