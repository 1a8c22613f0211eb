"""What may be offered to a client right now: the gate is asked about what he asked for himself, and about its like.

Each entry of the list is an allow of the same `decide` to a plain offer in the transaction of the client's own request.
What is not listed was not found lawful. A client out of territory may be offered anything.
"""

from typing import Any, Literal, get_args

from gate.decision import decide
from gate.dossier import Dossier, latest_of_each
from gate.facts import Fact, Instant, Proposed, Service, Thing
from gate.instants import moment
from gate.known import Known, outdated
from gate.law import DUTIES
from gate.outcome import Outcome, Verdict
from gate.replaying import as_of
from gate.solicitation import uncertain
from streams.ask.alike import Alike
from streams.ask.check import SOURCE
from streams.ask.reader import Seen

REQUESTS = 100
"""The client's latest requests that are looked at."""
LIKE = 2_400
"""Things of the type of a request that the gate is asked about in one question: the thread is everybody's."""
Entry = dict[str, Any]
_Content = Literal["service_notice", "exit_help", "education"]


class _Asking:
    """The gate, asked about one client at one time."""

    def __init__(self, known: Known, client: str, at: Instant) -> None:
        self.known, self.at = known, at
        self._client = client

    def offer(self, thing: Thing, transaction: str | None) -> Outcome:
        """What is said to a plain offer."""
        assert thing.service is not None
        said = Proposed("may-send", thing.service, "any", "offer", thing.asset, thing.product, transaction=transaction)
        return self._decide(said)

    def message(self, content: _Content) -> Outcome:
        """What is said to a message that promotes nothing."""
        return self._decide(Proposed("may-send", "transfer", "any", content))

    def _decide(self, said: Proposed) -> Outcome:
        offer = Fact(SOURCE, "may-send", self._client, self.at, self.at, said)
        return decide(self.known, offer)


def may_send(client: str, now: Instant, seen: Seen) -> Entry | None:
    """The list and what it leans on; an empty one says why. None asks for the history."""
    known = _known(client, now, seen)
    if known is None:
        return None
    asking = _Asking(known, client, now)
    anything = _anything(asking)
    lawful, why, more = (anything, [], False) if anything else _requested(asking, seen.policy.hard_limit)
    return {
        "client": client,
        "at": moment(now),
        "may_send": lawful,
        "why": why,
        "more": more,
        "always": [_passing(asking, content) for content in get_args(_Content)],
        "policy": {"version": seen.policy.version, "digest": seen.policy.digest},
        "synchronous": True,
        "read_up_to": seen.read_up_to.told(now),
    }


def _known(client: str, now: Instant, seen: Seen) -> Known | None:
    """The dossier as it is now; from the history where the bounded one does not tell, None where that is missing."""
    dossier, register = seen.known.dossier, seen.known.register
    if seen.history is not None:
        return as_of(client, seen.history, register, now)
    spilled = any(now < until for until in dossier.spilled.values())
    cut = spilled or outdated(dossier, register) or uncertain(dossier, register)
    return None if now < dossier.horizon or cut else seen.known


def _anything(asking: _Asking) -> list[Entry]:
    """Every service of a client to whom the gate does not apply."""
    asked = [(Thing(service), asking.offer(Thing(service), None)) for service in get_args(Service)]
    return [_allowed("anything", thing, None, o) for thing, o in asked if o.verdict is Verdict.ALLOW]


def _requested(asking: _Asking, hard_limit: Instant) -> tuple[list[Entry], list[Entry], bool]:
    """What may be offered, what he asked for and may not be offered with the reason, and whether there is more."""
    lawful: list[Entry] = []
    why: list[Entry] = []
    requests = _requests(asking.known.dossier, asking.at, hard_limit)
    more = False
    known, alike, left = set(requests), Alike(asking.known.register, asking.at), LIKE
    for thing, transaction in requests[:REQUESTS]:
        outcome = asking.offer(thing, transaction)
        if outcome.verdict is not Verdict.ALLOW:
            why.append(_refused(thing, transaction, outcome))
            continue
        lawful.append(_allowed("requested", thing, transaction, outcome))
        siblings = [s for s in alike.to(thing) if (s, transaction) not in known]
        more = more or len(siblings) > left
        siblings = siblings[:left]
        left -= len(siblings)
        for sibling in siblings:
            outcome = asking.offer(sibling, transaction)
            if outcome.verdict is Verdict.ALLOW:
                lawful.append(_allowed("same_type", sibling, transaction, outcome))
    if not requests:
        why = [_refused(Thing(), None, asking.offer(Thing("transfer"), None))]
    return lawful, why, more or alike.more or len(requests) > REQUESTS


def _requests(dossier: Dossier, at: Instant, hard_limit: Instant) -> list[tuple[Thing, str]]:
    """What was asked for and in which transaction, latest first; where all windows are shut the latest of each service."""
    scopes = sorted((s for s in dossier.scopes if s.opened <= at), key=lambda s: s.rank, reverse=True)
    recent = [s for s in scopes if at < s.shut_at(hard_limit)] or latest_of_each(scopes).values()
    return list(dict.fromkeys((s.thing, s.transaction) for s in recent))


def _thing(thing: Thing, transaction: str | None) -> Entry:
    return {"service": thing.service, "asset": thing.asset, "product": thing.product, "transaction": transaction}


def _allowed(kind: str, thing: Thing, transaction: str | None, outcome: Outcome) -> Entry:
    by = None if outcome.send_by is None else moment(outcome.send_by)
    return {**_thing(thing, transaction), "kind": kind, "send_by": by, "because": _leading(outcome)}


def _refused(thing: Thing, transaction: str | None, outcome: Outcome) -> Entry:
    return {**_thing(thing, transaction), "verdict": outcome.verdict.word, **_leading(outcome)}


def _passing(asking: _Asking, content: _Content) -> Entry:
    outcome = asking.message(content)
    return {"content": content, "may_send": outcome.verdict is Verdict.ALLOW, "because": _leading(outcome)}


def _leading(outcome: Outcome) -> Entry:
    reason = outcome.reasons[0]
    facts = [f for f in dict.fromkeys(reason.facts) if f != "may-send"]
    return {"leading": reason.code, "said": reason.said, "law": DUTIES[reason.code].law, "facts": facts}
