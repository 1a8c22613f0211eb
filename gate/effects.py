"""What a step brings about: values for the runtime to write, publish and pass on. Nothing here acts."""

from hashlib import blake2b
from typing import Final

from msgspec import Struct

from gate.dossier import Dossier, Standing
from gate.facts import Fact, Instant
from gate.history import Record
from gate.outcome import Outcome, ScopeView
from gate.packing import replaced


class Answer(Struct, frozen=True):
    """One `offer.decided`: the offer, the outcome, and what it replaces on which fact's account."""

    offer: Fact
    outcome: Outcome
    standing: Standing
    recorded: Instant
    supersedes: str | None = None
    because: Fact | None = None
    countries: tuple[str, ...] = ()
    """Wherever the client was ever located, by all that was known when the answer was given; sorted."""


class Notice(Struct, frozen=True):
    """`scope.opened`, `scope.closed`, `scope.tainted` or `relationship.suspended`."""

    name: str
    id: str
    client: str
    scope: ScopeView
    because: str


class Case(Struct, frozen=True):
    """`case.opened`: a person must look."""

    id: str
    why: str
    """A code of `gate.law.OF_CASES`."""
    said: str
    client: str | None
    decisions: tuple[str, ...]
    facts: tuple[str, ...]


class Deadline(Struct, frozen=True, array_like=True, order=True):
    """When the hard limit of a scope passes, that of the policy in force then, and what is said of it then."""

    at: Instant
    client: str
    source: str
    id: str
    """Source and id of the request."""
    service: str
    asset: str | None
    opened: Instant


class Greeting(Struct, frozen=True, array_like=True):
    """A message from `of` to a merged client: records, each about whom it names, and who else is the same person."""

    to: str
    of: str
    records: tuple[Record, ...]
    kin: tuple[str, ...]
    because: Fact


class Step(Struct, frozen=True):
    """Everything that follows from one arrival."""

    dossier: Dossier
    record: Record
    answers: tuple[Answer, ...] = ()
    notices: tuple[Notice, ...] = ()
    cases: tuple[Case, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    forwards: tuple[Greeting, ...] = ()

    @property
    def told(self) -> tuple[Answer | Notice | Case, ...]:
        """What is published, in this order."""
        return (*self.answers, *self.notices, *self.cases)


def noted(step: Step) -> Step:
    """The same with a record of what it says once and for all, and no dossier keeps.

    That is of which scopes it says that they are tainted, and of which contacts that they fell into an open one.
    """
    if not step.notices and not step.cases:
        return step
    told = (
        *(n.id for n in step.notices if n.name == "scope.tainted"),
        *(c.id for c in step.cases if c.why == "EXPOSURE"),
    )
    return replaced(step, record=replaced(step.record, told=told)) if told else step


CASE_DECISIONS: Final = 1000
"""How many a case names: each answer says itself which one it supersedes, and a record has room for some 30,000."""


def derived_id(kind: str, *parts: str) -> str:
    """An id that is the same wherever it is computed from the same parts."""
    return f"{kind}-{blake2b(chr(31).join(parts).encode(), digest_size=12).hexdigest()}"


def decision_id(offer: Fact, because: Fact, policy_digest: str, teller: str | None = None) -> str:
    """The id of an answer: the same for the same offer event, fact and policy (contract section 4).

    `teller` is the merged client who told of the fact: on account of one merger several may tell, each once, and
    each may bring about an answer. The client is in it, because two clients' events may have one id.
    """
    parts = [offer.client, offer.source, offer.id, because.source, because.id, policy_digest]
    return derived_id("dec", *parts, *(() if teller is None else (teller,)))


def case_id(why: str, client: str | None, source: str, id: str, *decisions: str) -> str:
    """The id of the case that the event with that source and id opens, about these answers."""
    return derived_id("case", why, client or "", source, id, *decisions)


def case_of(
    why: str,
    said: str,
    client: str | None,
    fact: Fact,
    facts: tuple[str, ...] = (),
    decisions: tuple[str, ...] = (),
) -> Case:
    """A case that one fact opens; of very many decisions it names the first."""
    id = case_id(why, client, fact.source, fact.id, *decisions)
    return Case(id, why, said, client, decisions[:CASE_DECISIONS], facts or (fact.id,))
