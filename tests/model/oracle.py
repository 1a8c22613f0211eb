"""The oracle: every arrival judges every earlier offer again, from nothing.

Implements "judging" sections 1 (late facts), 6 (cases) and 7 (people). What is remembered between
arrivals is only what the text lets stand: the answers, whether a sending was let go, releases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .facts import REGISTER, Border, Data, Event, Reject, moment
from .judging import GRAVITY, Judgement, judge
from .known import EVER, Known, Numbers, milder, two_people
from .law import scopes, solicitations

Key = tuple[str, str]
REACHES_BACK = frozenset({"evidence.filed", "evidence.approved", "evidence.retracted", "client.merged"})
Covered = dict[tuple[str, str], frozenset[str]]


@dataclass(frozen=True)
class Answer:
    """One `offer.decided`; `send_by` in microseconds since 1970."""

    decision: str
    verdict: str
    may_send: bool
    leading: str
    codes: frozenset[str]
    send_by: int | None
    superseding: bool = False
    line: int = 0
    """The number of the line that brought it."""
    numbers: Numbers | None = None
    """By which it was given."""


@dataclass
class Result:
    """All that comes out for a history."""

    offers: dict[Key, list[Answer]] = field(default_factory=dict)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    cases: set[str] = field(default_factory=set)


@dataclass
class Standing:
    """An offer and the answer that stands for it."""

    offer: Event
    answer: Answer
    judgement: Judgement
    hard: int
    """The hard limit by which it was given."""
    released_at: int | None = None


def answers(
    lines: Sequence[str | Data], *, skip_hopeless: bool = True, then: Mapping[int, Numbers] | None = None
) -> Result:
    """The answers to all offers of a history; lines in their order of arrival.

    `then` is which numbers are put in force, by the number of the first line that is judged by them.
    `skip_hopeless` leaves offers alone that an arrival can't concern: those of unconnected
    clients, and those before it where its effective time is its `time`.
    """
    return _Gate(skip_hopeless=skip_hopeless).run(lines, then or {})


class _Gate:
    """What is known and what was answered so far."""

    def __init__(self, *, skip_hopeless: bool) -> None:
        self.known = Known()
        self.border = Border()
        self.result = Result()
        self.standing: dict[Key, Standing] = {}
        self.by_decision: dict[str, Standing] = {}
        self.answered_bytes: set[str] = set()
        self.skip = skip_hopeless
        self.line = 0

    def run(self, lines: Sequence[str | Data], then: Mapping[int, Numbers]) -> Result:
        for number, line in enumerate(lines, 1):
            self.line = number
            self.known.numbers = then.get(number, self.known.numbers)
            read = self.border.read(line)
            if isinstance(read, Reject):
                self.result.rejected.append((number, read.reason))
                self._unreadable(read)
            elif read is not None:
                self._arrives(read)
        if touches_open_scopes(self.known):
            self.result.cases.add("EXPOSURE")
        return self.result

    def _unreadable(self, reject: Reject) -> None:
        """The answer to an offer that was rejected ("contract" 1)."""
        if reject.event is None or reject.raw in self.answered_bytes:
            return
        self.answered_bytes.add(reject.raw)
        self._say(reject.event, "block", "UNREADABLE_OFFER", frozenset({"UNREADABLE_OFFER"}))

    def _arrives(self, event: Event) -> None:
        if event.kind == "offer.delivered":
            self._settle(event)
        self.known.add(event)
        if event.kind == "offer.proposed":
            self._first(event)
        if event.kind == "review.released":
            self._release(event)
        self._signatures()
        if event.kind == "client.merged":
            self.result.cases.add("IDENTITY_MERGED")
        for standing in self.standing.values():
            if standing.offer != event and not (self.skip and self._hopeless(event, standing)):
                self._again(standing)

    # Answers.

    def _say(
        self,
        event: Key,
        verdict: str,
        leading: str,
        codes: frozenset[str],
        *,
        may_send: bool = False,
        send_by: int | None = None,
        superseding: bool = False,
    ) -> Answer:
        given = self.result.offers.setdefault(event, [])
        decision = f"@decision:{event[1]}#{len(given) + 1}"
        at = self.line, self.known.numbers
        answer = Answer(decision, verdict, may_send, leading, codes, send_by, superseding, *at)
        given.append(answer)
        self.result.cases |= codes & {"LOCATION_CONFLICT", "EVIDENCE_CONTRADICTED"}
        return answer

    def _judged(self, offer: Event, found: Judgement, *, superseding: bool) -> Answer:
        """The answer that a judgement gives; only a scope's allow ends at its soft limit."""
        may = found.verdict == "allow"
        return self._say(
            offer.key,
            found.verdict,
            found.leading,
            frozenset(reason.code for reason in found.reasons),
            may_send=may,
            send_by=found.opened + self.known.numbers.soft if may and found.opened is not None else None,
            superseding=superseding,
        )

    def _first(self, offer: Event) -> None:
        found = judge(self.known, offer)
        answer = self._judged(offer, found, superseding=False)
        self.standing[offer.key] = Standing(offer, answer, found, self.known.numbers.hard)
        self.by_decision[answer.decision] = self.standing[offer.key]

    def _again(self, standing: Standing) -> None:
        """A stricter judgement supersedes; a release falls with anything it does not cover."""
        found = judge(self.known, standing.offer)
        if standing.released_at is not None:
            stricter = exceeds(found, standing.judgement)
        else:
            stricter = GRAVITY.index(found.verdict) > GRAVITY.index(standing.answer.verdict)
        if not stricter:
            return
        standing.answer = self._judged(standing.offer, found, superseding=True)
        standing.judgement, standing.released_at = found, None
        standing.hard = self.known.numbers.hard
        self.by_decision[standing.answer.decision] = standing
        self.result.cases.add("LATE_EVIDENCE")

    def _hopeless(self, event: Event, standing: Standing) -> bool:
        """Whether an arrival can't concern an offer: another client, or only later in effect."""
        if event.kind not in REACHES_BACK and event.time > standing.offer.time:
            return True
        if event.kind in REGISTER:
            return False
        return standing.offer.subject not in self.known.group(event.subject)

    # Deliveries and releases.

    def _settle(self, delivered: Event) -> None:
        """Whether a sending was let go, by the answer standing now ("judging" 5)."""
        same = [
            each
            for each in self.standing.values()
            if each.offer.subject == delivered.subject
            and each.offer.data["offer"] == delivered.data["offer"]
            and each.offer.time <= delivered.time
        ]
        newest = max((each.offer.time for each in same), default=EVER)
        belongs = [each for each in same if each.offer.time == newest]
        let_go = bool(belongs) and all(lets(each, delivered.time) for each in belongs)
        self.known.let_go[delivered.key] = let_go
        if not let_go:
            self.result.cases.add("DELIVERED_WITHOUT_PERMISSION")

    def _release(self, event: Event) -> None:
        """Two people let a held offer go, where the text lets them ("judging" 7)."""
        if not two_people(event):
            return
        standing = self.by_decision.get(event.data["decision"])
        expires = moment(event.data["expires"])
        assert expires is not None
        if standing is None or not self._releasable(standing, event, expires):
            self.result.cases.add("RELEASE_REFUSED")
            return
        standing.released_at = event.time
        standing.answer = self._say(
            standing.offer.key,
            "flag",
            "RELEASED",
            standing.answer.codes | {"RELEASED"},
            may_send=True,
            send_by=expires,
            superseding=True,
        )
        self.by_decision[standing.answer.decision] = standing

    def _releasable(self, standing: Standing, event: Event, expires: int) -> bool:
        """Standing, held, in time, and nothing known by now that the decision did not say."""
        opened, codes = standing.judgement.opened, standing.answer.codes
        now, numbers = judge(self.known, standing.offer), self.known.numbers
        return (
            event.data["decision"] == standing.answer.decision
            and standing.released_at is None
            and event.subject == standing.offer.subject
            and (standing.answer.verdict == "flag" or codes == {"TYPE_UNCLASSIFIED"})
            and event.time < expires <= event.time + numbers.release
            and (opened is None or expires <= opened + standing.hard)
            and (now.opened is None or expires <= now.opened + numbers.hard)
            and not exceeds(now, standing.judgement)
        )

    # Cases.

    def _signatures(self) -> None:
        """Where two people are asked for and are one, or a filer approves himself."""
        if signed_by_one(self.known):
            self.result.cases.add("SAME_PERSON_TWICE")


def lets(standing: Standing, at: int) -> bool:
    """Whether the standing answer lets its offer be sent at a moment."""
    answer = standing.answer
    return (
        answer.may_send
        and (answer.send_by is None or at < answer.send_by)
        and (standing.released_at is None or at >= standing.released_at)
    )


def covered(judgement: Judgement) -> Covered:
    """What a judgement held against an offer: its flags and blocks with their facts."""
    held: Covered = {}
    for code, verdict, facts in judgement.reasons:
        if verdict != "allow":
            held[code, verdict] = held.get((code, verdict), frozenset()) | facts
    return held


def exceeds(found: Judgement, released: Judgement) -> bool:
    """Whether a judgement adds a flag or block reason, or a fact to one."""
    before = covered(released)
    return any(reason not in before or not facts <= before[reason] for reason, facts in covered(found).items())


def signed_by_one(known: Known) -> bool:
    """Whether any event that counts for nothing for its signatures is known ("judging" 7)."""
    for client in known.clients():
        for event in known.own(client, "review.released", "taint.narrowed", "evidence.retracted"):
            if not two_people(event):
                return True
        for event in known.own(client, "evidence.approved"):
            for filed in known.own(client, "evidence.filed"):
                if (filed.data["evidence"], filed.data["by"]) == (
                    event.data["evidence"],
                    event.data["by"],
                ):
                    return True
        for event in known.own(client, "relationship.changed"):
            if not two_people(event) and milder(event.data["state"], state_before(known, event)):
                return True
    return False


def state_before(known: Known, change: Event) -> str:
    """The client's own relationship just before a change."""
    return known.own_state(change.subject, change.time - 1)


def touches_open_scopes(known: Known) -> bool:
    """Whether a campaign or contact reached a client while a scope of his was open."""
    end = max((event.time for event in known.events), default=EVER)
    for client in known.clients():
        opened = [request.time for request in scopes(known, client, end)]
        if not opened:
            continue
        now = Event("", "", "offer.proposed", client, end, {"offer": ""})
        for act in solicitations(known, now):
            if act.event.kind in ("campaign.started", "firm.contacted") and any(
                at < act.since < at + known.numbers.hard for at in opened
            ):
                return True
    return False
