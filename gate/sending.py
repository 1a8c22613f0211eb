"""Sendings: to which proposals one belongs, whether these let it go, and what it names (judging sections 4 and 5)."""

from collections.abc import Iterable

from gate.decision import not_applying
from gate.dossier import Standing
from gate.effects import Case, case_of
from gate.facts import Fact, Instant, Proposed, Thing
from gate.known import Known
from gate.outcome import Reason


def names_of(known: Known, offer: Fact) -> tuple[Thing, ...]:
    """What an offer names when it is sent: the things it was judged on (judging section 4)."""
    said = offer.said
    assert isinstance(said, Proposed)
    if said.content == "offer":
        return said.things
    if said.pure:
        return ()
    failed: list[Reason] = []
    step, _ = not_applying(known, offer, said, failed)
    # A rule that fails to run blocks the offer; should it be sent all the same, it names all it may.
    return tuple(dict.fromkeys((said.own, *said.promoted))) if step or failed else said.things


def belonging(offers: Iterable[Standing], offer: str, at: Instant) -> list[Standing]:
    """The latest proposals with that offer id that are not later: a sending belongs to them (judging section 5).

    By source and id, as dossier and history keep them in orders of their own.
    """
    so_far = [o for o in offers if o.offer == offer and o.at <= at]
    latest = max((o.at for o in so_far), default=0)
    return sorted((o for o in so_far if o.at == latest), key=lambda o: o.event)


def was_let_go(belongs: list[Standing], at: Instant) -> bool:
    """Whether the standing answers of the offers that a sending belongs to allowed it at that time."""
    return bool(belongs) and all(
        o.may_send and (o.send_by is None or at < o.send_by) and (o.released_at is None or at >= o.released_at)
        for o in belongs
    )


def delivered_without_permission(fact: Fact, belongs: list[Standing]) -> Case:
    """An incident: an offer went out without an answer that lets it."""
    decisions = tuple(o.decision for o in belongs)
    sentence = "an offer was sent that no decision allowed at that time; it now counts as a solicitation"
    return case_of("DELIVERED_WITHOUT_PERMISSION", sentence, fact.client, fact, (fact.id,), decisions)
