"""What taints a scope: a prompt, or a solicitation at or before the request that blocks.

Law: judging sections 4 to 6 (`scope.tainted`). Many scopes are held against many touches at once, so of each promoter's
touches the first that counts is looked up once: it speaks against every later request.
"""

from collections.abc import Iterable, Iterator

from gate.dossier import Reached, Scope, Touch
from gate.facts import Instant
from gate.known import Known
from gate.outcome import Verdict
from gate.register import Promoter, Register
from gate.solicitation import beside_touches, promoter_of


class Taints:
    """What taints the scopes of a client, whichever of them is asked about."""

    def __init__(self, known: Known) -> None:
        self._register = known.register
        self._members = [
            (reached, list(_first_that_count(reached, known.register))) for reached in known.dossier.members()
        ]
        self._turns = may_turn(known)
        self._latest = known.dossier.latest
        self._hard_limit = known.policy.hard_limit

    def of(self, scope: Scope) -> str | None:
        """The first event that prompted the request or solicited the client before it, as known of its time or by now."""
        prompted = scope.prompted(self._hard_limit)
        if prompted:
            return prompted[0]
        found = self._solicited(scope, scope.opened)
        if found is None and self._turns and self._latest > scope.opened:
            found = self._solicited(scope, self._latest)
        return found

    def _solicited(self, scope: Scope, at: Instant) -> str | None:
        """The first solicitation that blocks what the scope would carry, by what is known at that time."""
        for reached, touches in self._members:
            touched = self._touched(touches, scope.opened, at)
            if touched is not None:
                return touched
            for (_, verdict), touch, _ in beside_touches(reached, self._register, scope, scope.thing, at, False):
                if verdict is Verdict.BLOCK:
                    return touch.id
        return None

    def _touched(self, touches: Iterable[tuple[str, list[Touch]]], opened: Instant, at: Instant) -> str | None:
        """The first touch by the time of the request that nobody narrowed and that blocks."""
        for key, entries in touches:
            for touch in entries:
                if touch.at > opened:
                    break
                if key[0] != "t" or promoter_of(self._register, key, touch.at, at) >= Promoter.CHAIN:
                    return touch.id
        return None


def may_turn(known: Known) -> bool:
    """Whether later register entries can change whose tag it was or whether a country is in scope."""
    keys = (key for reached in known.dossier.members() for key in (*reached.touches, *(s.key for s in reached.singles)))
    return known.register.rescoped or any(key[0] == "t" for key in keys)


def _first_that_count(reached: Reached, register: Register) -> Iterator[tuple[str, list[Touch]]]:
    """Of each promoter the first touch that counts; all touches by a tag, of which time may tell whose it was."""
    for key, span in reached.touches.items():
        if key[0] == "t":
            yield key, span.entries
        else:
            counting = (t for t in span.entries if promoter_of(register, key, t.at, t.at) >= Promoter.CHAIN)
            first = next(counting, None)
            if first is not None:
                yield key, [first]
