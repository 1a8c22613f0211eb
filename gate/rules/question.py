"""What rules of steps 6-8 are asked: an offer against one scope, and a thing of it beside what was asked for."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from gate.dossier import Scope, Touch
from gate.facts import Fact, Proposed, Thing
from gate.known import Known
from gate.outcome import Reason, Verdict
from gate.policy import Policy
from gate.register import Register
from gate.solicitation import Found


class Question(NamedTuple):
    """What a rule of steps 6 and 8 may look at: nothing of the things that are offered, but what speaks against them."""

    known: Known
    offer: Fact
    said: Proposed
    scope: Scope
    found: Found

    @property
    def policy(self) -> Policy:
        """What is judged by."""
        return self.known.policy


class Comparison(NamedTuple):
    """What a rule of step 7 may look at: what is offered, and what was asked for."""

    register: Register
    offer: Fact
    thing: Thing
    scope: Scope


Rule = Callable[[Question], Reason | None]
TypeRule = Callable[[Comparison], Reason | None]


def of_touches(q: Question, code: str, sentence: str, *verdicts: Verdict) -> Reason | None:
    """The reason of a solicitation row: the gravest of its verdicts that has touches; earliest facts first."""
    for verdict in verdicts:
        if (code, verdict) in q.found:
            every = sorted(s for v in verdicts for s in q.found.get((code, v), ()))
            covers = tuple(dict.fromkeys(f"{s.known_as} {s.touch.at} {s.touch.id}" for s in every))
            return Reason(code, verdict, sentence, shown(q, [s.touch for s in every]), covers)
    return None


def shown(q: Question, touches: Iterable[Touch]) -> tuple[str, ...]:
    """The four earliest up to the request and the four latest after it, and the request itself."""
    ordered = sorted(touches)
    before = [t for t in ordered if t.at <= q.scope.opened][:4]
    after = [t for t in ordered if t.at > q.scope.opened][-4:]
    return tuple(dict.fromkeys([*(t.id for t in before + after), q.scope.id]))
