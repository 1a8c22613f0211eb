"""Schemas of what comes out (`streams/publish.py`, contract section 4). Fields may be added to each object."""

from typing import Any, get_args

from gate.facts import Country, Service
from gate.law import DUTIES, OF_CASES
from gate.outcome import Verdict
from streams.publish import SOURCE
from streams.schemas.words import (
    IDENT_TEXT,
    TEXT,
    TIME_TEXT,
    YES_OR_NO,
    Schema,
    list_of,
    maybe,
    object_of,
    one_of,
    pattern,
)

NOTICES = {
    "scope.opened": "a window of a client and service opened",
    "scope.closed": "a window shut",
    "scope.tainted": "a window was spoilt by a solicitation",
    "relationship.suspended": "the first window of a client was spoilt: nothing is offered until people have looked",
}
_VERDICT = one_of([verdict.word for verdict in Verdict])
_CODE = one_of(tuple(DUTIES))
_IDS = list_of(IDENT_TEXT)
_EVENT = object_of({"source": maybe(TEXT), "id": maybe(TEXT)})
_SCOPE = object_of(
    {
        "service": one_of(get_args(Service)),
        "asset": maybe(IDENT_TEXT),
        "opened_at": TIME_TEXT,
        "soft_until": {**TIME_TEXT, "description": "Until then an allow may be sent."},
        "hard_until": {**TIME_TEXT, "description": "From then on nothing may be."},
        "state": {
            **one_of(("open", "tainted", "servicing_only")),
            "description": "`servicing_only`: the hard limit passed. `scope.closed` tells of the time alone: "
            "what was said to be `tainted` before or after it is so.",
        },
    }
)
_REASON = object_of(
    {"code": _CODE, "rule": TEXT, "law": TEXT, "verdict": _VERDICT, "said": TEXT, "facts": list_of(TEXT)}
)
_CUT = {**YES_OR_NO, "description": "There if lists of ids and sentences were cut to what a topic takes."}
_DECIDED = object_of(
    {
        "decision": {
            **IDENT_TEXT,
            "description": "The same for the same offer event, fact and policy: drop what repeats it.",
        },
        "event": {**_EVENT, "description": "The `offer.proposed` that is answered."},
        "offer": IDENT_TEXT,
        "client": IDENT_TEXT,
        "verdict": _VERDICT,
        "may_send": {**YES_OR_NO, "description": "With `send_by` all that a sender must read."},
        "send_by": {**maybe(TIME_TEXT), "description": "Until when it may be sent; null is without limit."},
        "leading": _CODE,
        "reasons": {**list_of(_REASON), "minItems": 1, "description": "All of them, gravest first."},
        "scope": maybe(_SCOPE),
        "initiation": object_of(
            {
                "state": one_of(("exclusive", "under_review", "contested", "solicited", "unknown")),
                "grade": one_of(("A", "B", "C", "D", "none")),
                "evidence": _IDS,
            }
        ),
        "policy": object_of({"version": TEXT, "digest": TEXT}),
        "at": {**maybe(TIME_TEXT), "description": "The offer's time; null where it cannot be read."},
        "recorded_at": {**TIME_TEXT, "description": "When the gate had to answer."},
        "supersedes": {**maybe(IDENT_TEXT), "description": "The decision that this one replaces."},
        "because": {**maybe(_EVENT), "description": "The event that forced that."},
    },
    {
        "countries": list_of(pattern(Country.__metadata__[0].pattern)),  # type: ignore[attr-defined]
        "service": {**one_of(get_args(Service)), "description": "The offer's; absent where it cannot be read."},
        "cut": _CUT,
    },
)
_CASE = object_of(
    {"case": IDENT_TEXT, "why": one_of([*OF_CASES]), "said": TEXT, "decisions": _IDS, "facts": list_of(TEXT)},
    {"client": IDENT_TEXT, "law": TEXT, "cut": _CUT},
)
_NOTICE = object_of({"client": IDENT_TEXT, "scope": _SCOPE, "because": IDENT_TEXT})

DATA: dict[str, Schema] = {"offer.decided": _DECIDED, **dict.fromkeys(NOTICES, _NOTICE), "case.opened": _CASE}
"""By event name, the schema of the data."""
SAID = {"offer.decided": "the answer to an offer", **NOTICES, "case.opened": "a person must look"}
"""By event name, what it says in a sentence."""


def event_schema(name: str, data: Schema) -> Schema:
    """The whole event, around a schema of its data. A case that is about no single client has no subject."""
    attributes: dict[str, Any] = {
        "specversion": {"type": "string", "const": "1.0"},
        "id": IDENT_TEXT,
        "source": {"type": "string", "const": SOURCE},
        "type": {"type": "string", "const": f"gate61.{name}.v1"},
        "time": TIME_TEXT,
        "datacontenttype": {"type": "string", "const": "application/json"},
        "data": data,
    }
    subject: dict[str, Schema] = {"subject": {**IDENT_TEXT, "description": "The client's reference."}}
    return object_of(attributes, subject) if name == "case.opened" else object_of({**attributes, **subject})
