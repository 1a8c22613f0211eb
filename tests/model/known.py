"""Everything that arrived, and what it says about a moment.

The plain list of accepted events, grouped by client and by register type, and the questions that
need no request: who is merged with whom, where a client is, what the register had in force, which
evidence is approved or withdrawn. Implements "judging" sections 1, 3 and the end of 5 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .facts import REGISTER, Event, moment

HOUR = 3_600_000_000
EVER = -(10**20)
"""Before everything."""

_TREATY = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS"
_DATED = dict.fromkeys(_TREATY.split(), "2024-12-30T00:00:00Z") | {
    "LI": "2025-02-01T00:00:00Z",
    "NO": "2025-07-01T00:00:00Z",
}
_LISTED = {country: moment(date) or 0 for country, date in _DATED.items()}
"""The policy's dated list ("law" 2.6)."""
_CHANNELS = frozenset(
    ["email", "push", "ads", "search", "social", "influencers", "affiliates", "sponsorship", "calls", "group"]
)


class Numbers(NamedTuple):
    """What is the firm's choice: the numbers and lists that "judging" gives as defaults of the policy."""

    soft: int = 24 * HOUR
    hard: int = 240 * HOUR
    release: int = 24 * HOUR
    close: float = 20
    """Percent of a holding from which a promoter counts."""
    since: dict[str, int] = _LISTED
    """When countries come into scope."""
    channels: frozenset[str] = _CHANNELS
    """Channels that must be searched."""
    approving: frozenset[str] = frozenset()
    """Kinds of evidence, and filers, that approve themselves."""


STRONG = frozenset({"kyc_residence", "registered_office", "tax_residence"})
CHAIN = frozenset(["firm", "group", "agent", "affiliate", "influencer", "payment_partner", "eu_authorised"])
STATES = ("exempt", "suspended", "exit_only", "closed")
STANDINGS = ("firm", "chain", "unknown", "independent")
"""What a promoter's word is, the worst for the firm first."""


class Thing(NamedTuple):
    """What is offered, promoted or asked for; no product is the plain service."""

    service: str | None
    product: str | None
    asset: str | None


def thing(data: dict[str, Any]) -> Thing:
    """The thing that an event, or one entry of a list of things, names."""
    return Thing(data.get("service"), data.get("product"), data.get("asset"))


def promoted(data: dict[str, Any]) -> list[Thing]:
    """The things a message promotes."""
    return [thing(item) for item in data.get("promotes") or ()]


def latest(events: Iterable[Event], at: int) -> list[Event]:
    """The events latest in time up to a moment: all of them, where their times are equal."""
    past = [event for event in events if event.time <= at]
    newest = max((event.time for event in past), default=EVER)
    return [event for event in past if event.time == newest]


def two_people(event: Event) -> bool:
    """Whether two different people signed; no second is one ("judging" 7)."""
    return event.data.get("second") not in (None, event.data["by"])


class Known:
    """All accepted events, in order of arrival."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.numbers = Numbers()
        """Those in force."""
        self.let_go: dict[tuple[str, str], bool] = {}
        """Of each `offer.delivered`: whether it was let go, settled when it arrived."""
        self._by_client: dict[str, dict[str, list[Event]]] = {}
        self._register: dict[str, list[Event]] = {}

    def add(self, event: Event) -> None:
        """Keep one more fact."""
        self.events.append(event)
        if event.kind in REGISTER:
            self._register.setdefault(event.kind, []).append(event)
        else:
            kinds = self._by_client.setdefault(event.subject, {})
            kinds.setdefault(event.kind, []).append(event)

    def own(self, client: str, *kinds: str) -> list[Event]:
        """A client's own events of some types, in order of arrival within each."""
        mine = self._by_client.get(client, {})
        return [event for kind in kinds for event in mine.get(kind, ())]

    def register(self, kind: str, name: str, value: str) -> list[Event]:
        """The register's events about one thing."""
        return [event for event in self._register.get(kind, ()) if event.data[name] == value]

    def all_of(self, kind: str) -> list[Event]:
        """All register events of one type."""
        return self._register.get(kind, [])

    def clients(self) -> list[str]:
        """Every client of whom anything is known."""
        return list(self._by_client)

    def group(self, client: str) -> list[str]:
        """All who are connected by merges, directly or not, whenever ("judging" 1 and 6)."""
        links = [
            (event.subject, event.data["other"])
            for kinds in self._by_client.values()
            for event in kinds.get("client.merged", ())
        ]
        found = {client}
        while more := {c for link in links if found & set(link) for c in link} - found:
            found |= more
        return sorted(found)

    # The register.

    def in_scope(self, country: str, at: int) -> bool:
        """Whether a country is in scope; the policy's list is an entry at its own date."""
        scoped = latest(self.register("country.scoped", "country", country), at)
        listed = self.numbers.since.get(country)
        if listed is not None and listed <= at and all(e.time <= listed for e in scoped):
            return True
        return any(event.data["in_scope"] for event in scoped)

    def standing(self, entity: str | None, at: int) -> str:
        """What a promoter is at a moment, one of `STANDINGS`; none named is the firm itself."""
        if entity is None:
            return "firm"
        versions = latest(self.register("entity.registered", "entity", entity), at)
        found = {_standing(version.data, at, self.numbers.close) for version in versions} or {"unknown"}
        return min(found, key=STANDINGS.index)

    def authorised(self, entity: str | None, services: set[str], at: int) -> bool:
        """Whether an entity is EU-authorised for all these services (step 1)."""
        if entity is None:
            return False
        versions = latest(self.register("entity.registered", "entity", entity), at)
        return bool(versions) and all(
            version.data["relation"] == "eu_authorised"
            and not _over(version.data, at)
            and services <= set(version.data.get("services") or ())
            for version in versions
        )

    def classification(self, asset: str | None, at: int) -> dict[str, Any] | None:
        """An asset's classification in force; different ones at one time are none at all."""
        if asset is None:
            return None
        versions = latest(self.register("asset.classified", "asset", asset), at)
        stated = [{name: v.data.get(name) for name in STATED} for v in versions]
        if not stated or any(each != stated[0] for each in stated):
            return None
        return stated[0] | {"approved": all("approved_by" in v.data for v in versions)}

    def classes(self, asset: str | None, at: int) -> set[str]:
        """Every class that is stated of an asset by what is in force, also where that differs in something."""
        versions = latest(self.register("asset.classified", "asset", asset), at) if asset else []
        return {str(v.data["class"]) for v in versions}

    def maps(self, product: str | None, other: str | None, service: str, at: int) -> bool:
        """Whether an approved entry of this service maps one product directly to another."""
        if product is None or other is None:
            return False
        versions = latest(self.register("product.classified", "product", product), at)
        return bool(versions) and all(
            "approved_by" in version.data
            and version.data["service"] == service
            and version.data.get("same_type_as") == other
            for version in versions
        )

    # Evidence.

    def withdrawn(self, filed: Event, at: int) -> bool:
        """Whether two people took evidence back; from its filing on, save of solicitation."""
        named = [
            event
            for event in self.own(filed.subject, "evidence.retracted")
            if event.data["evidence"] == filed.data["evidence"] and two_people(event)
        ]
        if filed.data["supports"] == "solicitation":
            return any(filed.time < event.time <= at for event in named)
        return bool(named)

    def approved(self, filed: Event, at: int) -> bool:
        """Whether somebody other than the filer has approved it by then ("judging" 1 and 7).

        In the firm's favour he must have filed none of this evidence, also not for something else.
        """
        if {filed.data["kind"], filed.data["by"]} & self.numbers.approving:
            return True
        filers = {filed.data["by"]}
        if filed.data["supports"] != "solicitation":
            filers |= self.filers(filed, at)
        for event in self.own(filed.subject, "evidence.approved"):
            if event.data["evidence"] != filed.data["evidence"]:
                continue
            if event.data["by"] in filers:
                continue
            if filed.data["supports"] == "solicitation":
                if courted_at(filed, event.time) <= at:
                    return True
            elif filed.time <= event.time <= at:
                return True
        return False

    def filers(self, filed: Event, at: int) -> set[str]:
        """Who filed the same evidence of the client by then."""
        return {
            each.data["by"]
            for each in self.own(filed.subject, "evidence.filed")
            if each.data["evidence"] == filed.data["evidence"]
            and (courted_at(each, each.time) if each.data["supports"] == "solicitation" else each.time) <= at
        }

    def filed_for(self, request: Event, at: int) -> list[Event]:
        """The client's own evidence for one request, filed by then and not withdrawn."""
        return [
            event
            for event in self.own(request.subject, "evidence.filed")
            if event.data.get("request") == request.id
            and event.data["supports"] != "solicitation"
            and event.time <= at
            and not self.withdrawn(event, at)
        ]

    # The client.

    def located(self, client: str, at: int) -> list[Event]:
        """The indicators that a client and all merged with it have live at a moment."""
        live = []
        for member in self.group(client):
            past = [e for e in self.own(member, "client.located") if e.time <= at]
            for indicator in {e.data["indicator"] for e in past}:
                newest = latest((e for e in past if e.data["indicator"] == indicator), at)
                live += [e for e in newest if not _over(e.data, at)]
        return live

    def relationship(self, client: str, at: int) -> str:
        """The strictest state of all merged; `closed` only where it is the client's own."""
        states = [self.own_state(client, at)]
        for member in self.group(client):
            state = self.own_state(member, at)
            if member != client and state != "closed":
                states.append(state)
        return max(states, key=STATES.index)

    def own_state(self, client: str, at: int) -> str:
        """A milder state takes two people, else the change counts for nothing ("judging" 7)."""
        changes = [e for e in self.own(client, "relationship.changed") if e.time <= at]
        state = "exempt"
        for time in sorted({event.time for event in changes}):
            valid = [
                event.data["state"]
                for event in changes
                if event.time == time and (milder(event.data["state"], state) is False or two_people(event))
            ]
            state = max(valid, key=STATES.index, default=state)
        return state


STATED = (
    "class",
    "technology",
    "reference_currency",
    "basket",
    "liquid",
    "identifiable_issuer",
    "type_group",
)


def milder(state: str, than: str) -> bool:
    """Whether one state of a relationship is milder than another."""
    return STATES.index(state) < STATES.index(than)


def courted_at(filed: Event, time: int) -> int:
    """From when evidence of solicitation, or its approval of that time, counts ("judging" 1)."""
    courted = moment(filed.data.get("solicited_at"))
    return EVER if courted is None else min(courted, time)


def _over(data: dict[str, Any], at: int) -> bool:
    """Whether its `until` has come; the moment itself is outside."""
    until = moment(data.get("until"))
    return until is not None and until <= at


def _standing(data: dict[str, Any], at: int, close_holding: float) -> str:
    if _over(data, at):
        return "unknown"
    if data["relation"] == "firm":
        return "firm"
    close = data.get("holding_percent", 0) >= close_holding or data.get("control", False)
    return "chain" if data["relation"] in CHAIN or close else "independent"
