"""Facts into the dossier: `evolve` takes one fact in, or says that only the history can tell.

It may be called in any order of arrival while no offer was answered that the fact reaches back behind; whatever of
that would need what the dossier has cut or has already concluded is refused with `Reach.HISTORY`.
Source: judging sections 1, 4 and 5.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Final

from gate.dossier import (
    ALWAYS,
    ANY,
    BEFORE_EVERYTHING,
    KEPT_ASSETS,
    KEPT_PROMPTS,
    NO_REQUEST,
    UNPROMPTED,
    Dossier,
    Filing,
    Indication,
    Narrowing,
    Prompt,
    Reached,
    Scope,
    Sent,
    Single,
    Span,
    Touch,
    accused_since,
    channels_kept,
)
from gate.facts import (
    STRICTNESS,
    Arrived,
    Asked,
    Contacted,
    Declared,
    Delivered,
    EvidenceApproved,
    EvidenceFiled,
    EvidenceRetracted,
    Fact,
    Instant,
    Located,
    Narrowed,
    Proposed,
    Referred,
    RelationshipChanged,
    Requested,
    Thing,
)
from gate.forgotten import may_hold, with_names
from gate.register import Register
from gate.same_type import agree
from gate.solicitation import hides


class Reach(Enum):
    """How far a fact reaches."""

    FORWARD = "forward"
    HISTORY = "history"


def evolve(dossier: Dossier, fact: Fact, register: Register, of: str | None = None) -> Reach:
    """Take one fact in; `of` names the merged client whom it is about, None the dossier's own.

    What is refused with `Reach.HISTORY` has changed nothing.
    """
    fold = _FOLDS.get(type(fact.said))
    if fold is None:
        return Reach.FORWARD
    reached = dossier.own if of is None else dossier.kin.setdefault(of, Reached())
    reach = fold(dossier, reached, fact, register, of is None)
    if reach is Reach.FORWARD:
        dossier.horizon = max(dossier.horizon, fact.at)
    return reach


def touch_of(fact: Fact) -> Touch:
    """When and by which event the client was reached."""
    return Touch(fact.at, fact.id)


def _locate(dossier: Dossier, reached: Reached, fact: Fact, register: Register, own: bool) -> Reach:
    said = fact.said
    assert isinstance(said, Located)
    if said.country not in reached.countries:
        reached.countries.append(said.country)
    there = reached.indicators.get(said.indicator)
    entry = Indication(fact.at, said.country, said.until, fact.id)
    if not there or there[0].at < fact.at:
        reached.indicators[said.indicator] = [entry]
    elif there[0].at == fact.at:
        there.append(entry)
    return Reach.FORWARD


def _touched(dossier: Dossier, reached: Reached, keys: Iterable[str], touch: Touch) -> None:
    for key in keys:
        if touch.id in reached.narrowings:
            reached.singles.append(Single(key, touch))
        else:
            reached.touches.setdefault(key, Span()).add(touch, dossier.full)


def _solicit(dossier: Dossier, reached: Reached, keys: Sequence[str], fact: Fact, register: Register) -> Reach:
    """Who made it has these keys; the history is asked where it may cut what shows that a request on record was solicited."""
    touch = touch_of(fact)
    if not dossier.full and asked_since(dossier, fact.at) and any(hides(reached, k, touch, register) for k in keys):
        return Reach.HISTORY
    _touched(dossier, reached, keys, touch)
    return Reach.FORWARD


def _arrive(dossier: Dossier, reached: Reached, fact: Fact, register: Register, own: bool) -> Reach:
    said = fact.said
    assert isinstance(said, Arrived)
    if own and _answers_waiting(dossier, fact):
        return Reach.HISTORY
    keys = [f"p:{said.via}"] if said.via else []
    if said.campaign:
        keys.append(f"t:{said.campaign}")
    reach = _solicit(dossier, reached, keys, fact, register)
    if own and reach is Reach.FORWARD:
        _remember(dossier, fact, UNPROMPTED)
    return reach


def _refer(dossier: Dossier, reached: Reached, fact: Fact, register: Register, own: bool) -> Reach:
    said = fact.said
    assert isinstance(said, Referred)
    return _solicit(dossier, reached, [f"{'r' if said.rewarded else 'p'}:{said.by}"], fact, register)


def _contact(dossier: Dossier, reached: Reached, fact: Fact, register: Register, own: bool) -> Reach:
    said = fact.said
    assert isinstance(said, Contacted)
    if said.promotes and not dossier.full and asked_since(dossier, fact.at):
        return Reach.HISTORY
    reach = _solicit(dossier, reached, [f"p:{said.by}"] if said.promoting else [], fact, register)
    if reach is Reach.FORWARD:
        for thing in said.promotes or ():
            name_thing(reached, thing, touch_of(fact), let_go=False)
    return reach


def name_thing(reached: Reached, thing: Thing, touch: Touch, let_go: bool) -> None:
    """Remember that something sent to the client named the thing."""
    known = reached.sent.get(thing, Sent(None, None))
    if let_go:
        latest = touch if known.let_go is None else max(known.let_go, touch)
        reached.sent[thing] = Sent(known.ever, latest)
    else:
        first = touch if known.ever is None else min(known.ever, touch)
        reached.sent[thing] = Sent(first, known.let_go)


def asked_since(dossier: Dossier, at: Instant) -> bool:
    """Whether a request stands at or after this time, which the sending would prompt.

    One that opened no scope may be replied to; that sends the reply to the history anyhow.
    """
    return any(s.opened >= at for s in dossier.scopes)


def _request(dossier: Dossier, reached: Reached, fact: Fact, register: Register, own: bool) -> Reach:
    said = fact.said
    assert isinstance(said, Requested)
    if _answers_waiting(dossier, fact):
        return Reach.HISTORY
    if not dossier.full and _must_look_back(dossier, fact, said, register.policy.hard_limit):
        return Reach.HISTORY
    prompts = _prompts(dossier, fact, said, register)
    _remember(dossier, fact, prompts[0].ago if prompts else UNPROMPTED)
    if said.kind == "recurring_execution":
        if said.asset is not None:
            _repeat(dossier, said.asset)
        return Reach.FORWARD
    scope = Scope(fact.at, fact.source, fact.id, said.service, said.product, said.asset, said.transaction, prompts)
    dossier.scopes.append(scope)
    first = touch_of(fact)
    dossier.first_scope = first if dossier.first_scope is None else min(dossier.first_scope, first)
    return Reach.FORWARD


def _repeat(dossier: Dossier, asset: str) -> None:
    """Note an asset of which nothing else says that he asked for it."""
    known = dossier.repeated
    if asset not in known and ANY not in known:
        dossier.repeated = [*known, asset] if len(known) < KEPT_ASSETS else [ANY]


def soliciting(acted: Iterable[str | None]) -> list[str]:
    """Keys of `Reached.touches` for a sending that was not let go: it is a solicitation of who acted, or the firm's."""
    return ["f:" if by is None else f"d:{by}" for by in dict.fromkeys(acted) or (None,)]


def deliver(
    dossier: Dossier,
    reached: Reached,
    fact: Fact,
    let_go: bool,
    names: tuple[Thing, ...],
    acted: Iterable[str | None],
) -> None:
    """Take a sending in: it names things, and one that was not let go is a solicitation of who acted, or the firm's."""
    if not let_go:
        _touched(dossier, reached, soliciting(acted), touch_of(fact))
    for thing in names:
        name_thing(reached, thing, touch_of(fact), let_go)
    dossier.horizon = max(dossier.horizon, fact.at)


def _must_look_back(dossier: Dossier, fact: Fact, said: Requested, hard_limit: Instant) -> bool:
    """Whether what prompted a request, its papers or what it opens may stand in the history alone."""
    if said.in_reply_to is not None:
        replied = dossier.own_events.get(said.in_reply_to)
        if may_hold(dossier.forgotten.words, said.in_reply_to) if replied is None else replied[1] > ALWAYS:
            return True  # Cut, or perhaps the id of a message of the firm too.
    if fact.id not in dossier.filings and may_hold(dossier.forgotten.papers, fact.id):
        return True
    if fact.at >= dossier.horizon:
        return False
    if dossier.sent_cut is not None and fact.at <= dossier.sent_cut + hard_limit:
        return True
    return any(_is_later(reached, fact.at) for reached in dossier.members())


def _is_later(reached: Reached, at: Instant) -> bool:
    """Whether something after `at` is on record of which only the latest is kept."""
    return (
        any(s.let_go and s.let_go.at > at for s in reached.sent.values())
        or any(i.at > at for there in reached.indicators.values() for i in there)
        or any(span.entries[-1].at > at for span in reached.touches.values() if span.entries)
        or any(single.touch.at > at for single in reached.singles)
    )


def may_be_answered(dossier: Dossier, fact: Fact) -> bool:
    """Whether a request may have replied to this, not to the client's own word: two sources may use one id."""
    if fact.at > dossier.horizon:
        return False
    return any(id in dossier.own_events or may_hold(dossier.forgotten.answered, id) for id in answerable_ids(fact))


def answerable_ids(fact: Fact) -> tuple[str, ...]:
    """What a reply to this may name: the event, and of an offer the offer too (contract section 2, `in_reply_to`)."""
    said = fact.said
    return (fact.id, said.offer) if isinstance(said, (Proposed, Delivered)) else (fact.id,)


def overlay(dossier: Dossier, id: str) -> None:
    """Another event shares this id, so a reply to it counts as prompted."""
    dossier.own_events[id] = (BEFORE_EVERYTHING, ALWAYS)


def _prompts(dossier: Dossier, fact: Fact, said: Requested, register: Register) -> list[Prompt]:
    """What prompted the request by any policy: sendings that named it, or what it replies to (judging section 4)."""
    found = _replied_to(dossier, fact, said)
    for reached in dossier.members():
        for thing, sent in reached.sent.items():
            if thing.service not in (None, said.service) or thing.product != said.product:
                continue
            named = _prompting(sent, fact.at)
            if named and agree(register, thing.asset, said.asset, fact.at):
                found.append(named)
    each: dict[str, Prompt] = {}
    for prompt in sorted(found, key=lambda p: p.ago):
        each.setdefault(prompt.id, prompt)
    return list(each.values())[:KEPT_PROMPTS]


def _replied_to(dossier: Dossier, fact: Fact, said: Requested) -> list[Prompt]:
    """What the request replies to, if that prompts it by any policy."""
    id = said.in_reply_to
    if id is None:
        return []
    replied = dossier.own_events.get(id)
    own = replied is not None and replied[0] <= fact.at and id != fact.id
    ago = replied[1] if own and replied is not None else ALWAYS
    if ago > ALWAYS:
        dossier.forgotten.answered = with_names(dossier.forgotten.answered, [id])
    if ago >= UNPROMPTED:
        return []
    dossier.waiting.append(id)
    return [Prompt(ago, id)]


def _prompting(sent: Sent, at: Instant) -> Prompt | None:
    """The strongest prompt among the sendings of a thing up to `at`."""
    if sent.ever and sent.ever.at <= at:
        return Prompt(ALWAYS, sent.ever.id)
    if sent.let_go and sent.let_go.at <= at < sent.let_go.at + UNPROMPTED:
        return Prompt(at - sent.let_go.at, sent.let_go.id)
    return None


def _remember(dossier: Dossier, fact: Fact, prompted: Instant) -> None:
    """Keep an own event that a request may reply to, and the shortest hard limit by which it is prompted.

    Events of several sources may have one id, and the request may reply to any of them: a replay keeps the worst so
    far. Where facts come out of order that is not known; a reply to one that is not prompted `ALWAYS` asks the history.
    """
    known = dossier.own_events.get(fact.id)
    if known is not None and dossier.full:
        prompted = min(prompted, known[1])
    if known is None or dossier.full or prompted > ALWAYS:
        dossier.own_events[fact.id] = (fact.at, prompted)


def _answers_waiting(dossier: Dossier, fact: Fact) -> bool:
    """Whether a request that arrived before this own event may have replied to it."""
    if dossier.full or fact.at > dossier.horizon:  # Later than every request it answers none.
        return False
    return dossier.waiting_cut or fact.id in dossier.waiting


def _own_word(dossier: Dossier, reached: Reached, fact: Fact, register: Register, own: bool) -> Reach:
    if _answers_waiting(dossier, fact):
        return Reach.HISTORY
    if isinstance(fact.said, Declared):
        touch = touch_of(fact)
        dossier.declared = touch if dossier.declared is None else min(dossier.declared, touch)
    _remember(dossier, fact, UNPROMPTED)
    return Reach.FORWARD


def filing_of(fact: Fact) -> Filing:
    """What is kept of an `evidence.filed`."""
    said = fact.said
    assert isinstance(said, EvidenceFiled)
    found = channels_kept(said.channels_searched)
    return Filing(fact.at, fact.id, said.evidence, said.kind, said.supports, said.by, found, said.solicited_at)


def _file(dossier: Dossier, reached: Reached, fact: Fact, register: Register, own: bool) -> Reach:
    said, filing = fact.said, filing_of(fact)
    assert isinstance(said, EvidenceFiled)
    if own and said.request is not None:
        if said.request not in dossier.filings and _may_be_cut(dossier, said.request):
            return Reach.HISTORY
        dossier.filings.setdefault(said.request, []).append(filing)
    if said.supports == "solicitation":
        reached.accusations.append(filing)
    elif own and said.request is None:
        dossier.filings.setdefault(NO_REQUEST, []).append(filing)
    return Reach.FORWARD


def _may_be_cut(dossier: Dossier, request: str) -> bool:
    """Whether the scope of a request that is not kept, or other papers of it, may have been cut."""
    cut = dossier.forgotten
    found = may_hold(cut.scopes, request) or may_hold(cut.papers, request)
    return found and all(s.id != request for s in dossier.scopes)


def since_of(said: EvidenceFiled, at: Instant) -> Instant:
    """From when a filing, or with `at` its approval, counts (judging section 1)."""
    return accused_since(said.solicited_at, at) if said.supports == "solicitation" else at


def _approve(dossier: Dossier, reached: Reached, fact: Fact, register: Register, own: bool) -> Reach:
    said = fact.said
    assert isinstance(said, EvidenceApproved)
    by = reached.approvals.setdefault(said.evidence, {})
    by[said.by] = max(fact.at, by.get(said.by, fact.at))
    return Reach.FORWARD


def _retract(dossier: Dossier, reached: Reached, fact: Fact, register: Register, own: bool) -> Reach:
    said = fact.said
    assert isinstance(said, EvidenceRetracted)
    if said.by != said.second:
        reached.withdrawn[said.evidence] = max(fact.at, reached.withdrawn.get(said.evidence, fact.at))
    return Reach.FORWARD


def _narrow(dossier: Dossier, reached: Reached, fact: Fact, register: Register, own: bool) -> Reach:
    said = fact.said
    assert isinstance(said, Narrowed)
    if said.by == said.second:
        return Reach.FORWARD
    if not dossier.full and any(not span.complete for span in reached.touches.values()):
        return Reach.HISTORY
    for key, span in reached.touches.items():
        for touch in [t for t in span.entries if t.id == said.exposure]:
            span.entries.remove(touch)
            span.count -= 1
            reached.singles.append(Single(key, touch))
    known = reached.narrowings.get(said.exposure)
    if known is None or known.at < fact.at:
        reached.narrowings[said.exposure] = Narrowing(fact.at, said.leaves)
    elif known.at == fact.at:
        reached.narrowings[said.exposure] = Narrowing(fact.at, known.leaves + said.leaves)
    return Reach.FORWARD


def signed_milder_alone(reached: Reached, fact: Fact) -> bool:
    """Whether a change to a milder state than the client's own before was signed by one person only."""
    said = fact.said
    assert isinstance(said, RelationshipChanged)
    before = reached.state_before if reached.state_at == fact.at else reached.state
    alone = said.second is None or said.second == said.by
    return alone and STRICTNESS[said.state] < STRICTNESS[before]


def _relate(dossier: Dossier, reached: Reached, fact: Fact, register: Register, own: bool) -> Reach:
    said = fact.said
    assert isinstance(said, RelationshipChanged)
    if not dossier.full and any(at is not None and fact.at <= at for at in (reached.state_at, reached.unsigned_at)):
        return Reach.HISTORY
    if signed_milder_alone(reached, fact):
        reached.unsigned_at = fact.at
        return Reach.FORWARD
    if reached.state_at != fact.at:
        reached.state_before = reached.state
        reached.state, reached.state_at, reached.state_facts = said.state, fact.at, [fact.id]
    elif STRICTNESS[said.state] > STRICTNESS[reached.state]:
        reached.state, reached.state_facts = said.state, [fact.id]
    elif STRICTNESS[said.state] == STRICTNESS[reached.state]:
        reached.state_facts.append(fact.id)
    return Reach.FORWARD


_FOLDS: Final[dict[type, Callable[[Dossier, Reached, Fact, Register, bool], Reach]]] = {
    Located: _locate,
    Arrived: _arrive,
    Referred: _refer,
    Contacted: _contact,
    Requested: _request,
    Asked: _own_word,
    Declared: _own_word,
    EvidenceFiled: _file,
    EvidenceApproved: _approve,
    EvidenceRetracted: _retract,
    Narrowed: _narrow,
    RelationshipChanged: _relate,
}
