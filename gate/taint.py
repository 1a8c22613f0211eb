"""What taints a scope beside a prompt: a solicitation at or before the request that blocks, whatever people may release.

Law: judging sections 5 and 6 (`scope.tainted`). Many scopes are held against many touches at once, so of each promoter's
touches the first that counts is looked up once: it speaks against every later request.
"""

from collections.abc import Iterator

from gate.dossier import Dossier, Reached, Scope, Touch
from gate.facts import Instant
from gate.outcome import Verdict
from gate.register import Promoter, Register
from gate.solicitation import beside_touches, promoter_of


class Solicitations:
    """Who solicited a client, for questions about any of his scopes."""

    def __init__(self, dossier: Dossier, register: Register) -> None:
        self._register = register
        self._members = [(reached, list(_first_that_count(reached, register))) for reached in dossier.members()]

    def before(self, scope: Scope, at: Instant) -> str | None:
        """The first event that blocks what the scope would carry, by what is known at that time; None if none does."""
        for reached, touches in self._members:
            for key, entries in touches:
                for touch in entries:
                    if touch.at > scope.opened:
                        break
                    if key[0] != "t" or promoter_of(self._register, key, touch.at, at) >= Promoter.CHAIN:
                        return touch.id
            for (_, verdict), touch, _ in beside_touches(reached, self._register, scope, scope.thing, at, False):
                if verdict is Verdict.BLOCK:
                    return touch.id
        return None


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
