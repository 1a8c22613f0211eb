"""The second tier of memory: every fact and answer of one client, read only when a fact reaches back."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from gate.dossier import Standing
from gate.facts import Fact
from gate.outcome import Outcome
from gate.register import Register


class Given(Struct, frozen=True, array_like=True):
    """An answer as it was given; where people may release it, or did, also the outcome and what it was judged on."""

    standing: Standing
    outcome: Outcome | None = None
    register: int = 0
    """The version of the register."""
    policy: str = ""
    """Digest of the policy; empty where that was not kept yet."""


def given(standing: Standing, outcome: Outcome, register: Register) -> Given:
    """What the history keeps of an answer that was judged on this register."""
    if standing.releasable or standing.released_at is not None:
        return Given(standing, outcome, register.version, register.policy.digest)
    return Given(standing)


class Record(Struct, frozen=True, array_like=True):
    """One arrival: the fact, whom it is about (None: the client himself), how a sending was settled, what was said on it.

    `fact` is None where an arrival elsewhere (the register) changed answers of this client, or spoilt scopes of his.
    """

    fact: Fact | None
    of: str | None = None
    let_go: bool = False
    answers: tuple[Given, ...] = ()
    told: tuple[str, ...] | None = ()
    """Ids of what else was said once and for all (`gate.effects.noted`); None where that was not kept yet."""


def told_by(records: Sequence[Record]) -> set[str]:
    """Ids of what was said once and for all, as far as records tell."""
    return {id for record in records for id in record.told or ()}


def tells_all(records: Sequence[Record]) -> bool:
    """Whether every record tells what was said on it."""
    return all(record.told is not None for record in records)


def standings(records: Iterable[Record]) -> dict[tuple[str, str], Given]:
    """The standing answer of every offer, by its event."""
    return {a.standing.event: a for r in records for a in r.answers}
