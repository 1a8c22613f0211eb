"""Answers, notices and cases out, as structured CloudEvents (contract section 4)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, cast

import msgspec

from gate.effects import Answer, Case, Notice, derived_id
from gate.facts import Instant, Proposed
from gate.instants import moment
from gate.law import DUTIES, OF_CASES
from gate.outcome import ScopeView
from gate.policy import Policy
from streams.border.wire import Rejected

SOURCE: Final = "//gate61"
_encode: Final = msgspec.json.Encoder().encode  # Of a moment in UTC it makes what `gate.instants.text` says.


def _maybe(at: Instant | None) -> datetime | None:
    return None if at is None else moment(at)


def _event(kind: str, id: str, subject: str | None, time: int, data: dict[str, Any]) -> bytes:
    event: dict[str, Any] = {"specversion": "1.0", "id": id, "source": SOURCE, "type": f"gate61.{kind}.v1"}
    if subject is not None:
        event["subject"] = subject
    event["time"] = moment(time)
    event["datacontenttype"] = "application/json"
    event["data"] = data
    return _encode(event)


def scope_data(scope: ScopeView) -> dict[str, Any]:
    """A scope on the wire."""
    return {
        "service": scope.service,
        "asset": scope.asset,
        "opened_at": moment(scope.opened_at),
        "soft_until": moment(scope.soft_until),
        "hard_until": moment(scope.hard_until),
        "state": scope.state,
    }


def answer_data(answer: Answer, policy: Policy) -> dict[str, Any]:
    """`offer.decided` data."""
    outcome, standing, offer = answer.outcome, answer.standing, answer.offer
    because = answer.because
    state, grade, evidence = outcome.initiation
    return {
        "decision": standing.decision,
        "event": {"source": offer.source, "id": offer.id},
        "offer": standing.offer,
        "client": offer.client,
        "verdict": outcome.verdict.word,
        "may_send": standing.may_send,
        "send_by": _maybe(standing.send_by),
        "leading": outcome.leading,
        "reasons": [
            {
                "code": r.code,
                "rule": DUTIES[r.code].rule,
                "law": DUTIES[r.code].law,
                "verdict": r.verdict.word,
                "said": r.said,
                "facts": list(dict.fromkeys(r.facts)),
            }
            for r in outcome.reasons
        ],
        "scope": scope_data(outcome.scope) if outcome.scope else None,
        "initiation": {"state": state, "grade": grade, "evidence": list(evidence)},
        "policy": {"version": policy.version, "digest": policy.digest},
        "at": moment(offer.at),
        "recorded_at": moment(answer.recorded),
        "supersedes": answer.supersedes,
        "because": {"source": because.source, "id": because.id} if because else None,
        "countries": list(answer.countries),
        "service": cast(Proposed, offer.said).service,
    }


def line_of(effect: Answer | Notice | Case, recorded: Instant, policy: Policy) -> bytes:
    """An effect as the bytes of its event; notices and cases carry when the gate had to say them.

    A window closes at its limit, whenever somebody looks: said late it is the same notice.
    """
    match effect:
        case Answer():
            return answered(effect, policy)
        case Notice():
            return noticed(effect, effect.scope.hard_until if effect.name == "scope.closed" else recorded)
        case Case():
            return case_opened(effect, recorded)


def answered(answer: Answer, policy: Policy) -> bytes:
    """`offer.decided`."""
    data = answer_data(answer, policy)
    return _event("offer.decided", answer.standing.decision, answer.offer.client, answer.recorded, data)


def unreadable_id(value: bytes, beside: Iterable[tuple[str, bytes]], policy: Policy) -> str:
    """The id of the answer to such an offer, derived from its bytes: the same in files, over HTTP and on Kafka.

    `beside` are the headers that a binary event consists of, in any order; a structured one has none.
    """
    return derived_id("dec", "unreadable", *_parts(value, beside), policy.digest)


def unreadable_mark(value: bytes, beside: Iterable[tuple[str, bytes]]) -> str:
    """By what it is noted that such an offer was answered: its bytes alone, since another policy answers it no more."""
    return derived_id("bytes", *_parts(value, beside))


def _parts(value: bytes, beside: Iterable[tuple[str, bytes]]) -> list[str]:
    headers = sorted((name.lower().encode(errors="backslashreplace"), content) for name, content in beside)
    return [value.hex(), *(part.hex() for header in headers for part in header)]


def unreadable(reject: Rejected, decision: str, recorded: int, policy: Policy) -> bytes:
    """`offer.decided` for an offer that was rejected but whose client and offer can be read."""
    duty = DUTIES["UNREADABLE_OFFER"]
    said = f"the offer was rejected ({reject.reason}: {reject.message}); what cannot be read is not sent"
    reason = {"code": "UNREADABLE_OFFER", "rule": duty.rule, "law": duty.law, "verdict": "block", "said": said}
    data: dict[str, Any] = {
        "decision": decision,
        "event": {"source": reject.source, "id": reject.id},
        "offer": reject.offer,
        "client": reject.client,
        "verdict": "block",
        "may_send": False,
        "send_by": None,
        "leading": "UNREADABLE_OFFER",
        "reasons": [{**reason, "facts": [reject.id] if reject.id else []}],
        "scope": None,
        "initiation": {"state": "unknown", "grade": "none", "evidence": []},
        "policy": {"version": policy.version, "digest": policy.digest},
        "at": _maybe(reject.at),
        "recorded_at": moment(recorded),
        "supersedes": None,
        "because": None,
    }
    return _event("offer.decided", decision, reject.client, recorded, data)


def noticed(notice: Notice, recorded: int) -> bytes:
    """`scope.*` and `relationship.suspended`."""
    data = {"client": notice.client, "scope": scope_data(notice.scope), "because": notice.because}
    return _event(notice.name, notice.id, notice.client, recorded, data)


def case_opened(case: Case, recorded: int) -> bytes:
    """`case.opened`."""
    data: dict[str, Any] = {"case": case.id, "why": case.why, "said": case.said}
    if case.client is not None:
        data["client"] = case.client
    data["decisions"] = list(case.decisions)
    data["facts"] = list(case.facts)
    data["law"] = OF_CASES[case.why]
    return _event("case.opened", case.id, case.client, recorded, data)
