"""One good event of every type of the contract, with every optional field."""

from typing import Any

from gate.facts import TYPES

TIME, LATER = "2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z"
_THING = {"service": "custody", "asset": "eth", "product": "staking"}
_SIGNED = {"by": "st-1", "second": "st-2", "reason": "why"}

DATA: dict[str, dict[str, Any]] = {
    "client.located": {"indicator": "kyc_residence", "country": "DE", "until": LATER},
    "client.arrived": {"path": "link", "via": "aff-1", "campaign": "cam-1"},
    "client.requested": {**_THING, "transaction": "tx-1", "channel": "email", "kind": "order", "in_reply_to": "ask-1"},
    "client.asked": {"transaction": "tx-1", "channel": "chat"},
    "client.declared": {"claim": "own_initiative", "text_version": "v1"},
    "client.merged": {"other": "cl-2"},
    "firm.contacted": {
        "by": "firm-1",
        "means": "push",
        "content": "marketing",
        "promotes": [_THING, {}],
        "link": True,
        "contact_capture": False,
        "campaign": "cam-1",
    },
    "referral.recorded": {"by": "aff-1", "rewarded": True, "code": "C-1"},
    "offer.proposed": {
        "offer": "of-1",
        **_THING,
        "by": "firm-1",
        "channel": "email",
        "transaction": "tx-1",
        "in_reply_to": "ask-1",
        "content": "offer",
        "promotes": [_THING],
        "link": False,
        "contact_capture": False,
    },
    "offer.delivered": {"offer": "of-1"},
    "evidence.filed": {
        "evidence": "ev-1",
        "supports": "initiation",
        "request": "req-1",
        "kind": "inbound_email",
        "channels_searched": ["email", "push"],
        "digest": "00" * 32,
        "by": "st-1",
        "solicited_at": TIME,
        "solicited_by": "aff-1",
    },
    "evidence.approved": {"evidence": "ev-1", "by": "st-2", "second": "st-3"},
    "evidence.retracted": {"evidence": "ev-1", **_SIGNED},
    "review.released": {"decision": "dec-1", **_SIGNED, "expires": LATER},
    "review.refused": {"decision": "dec-1", "by": "st-1", "reason": "no"},
    "taint.narrowed": {"exposure": "cam-1", **_SIGNED, "leaves": [_THING]},
    "relationship.changed": {"state": "suspended", **_SIGNED},
    "campaign.started": {
        "campaign": "cam-1",
        "by": "firm-1",
        "kind": "advertising",
        "countries": ["DE", "FR"],
        "excludes": [{"country": "DE", "geo_blocked": True}],
        "languages": ["de"],
        "channels": ["tv"],
        "promotes": [_THING],
    },
    "campaign.ended": {"campaign": "cam-1"},
    "entity.registered": {
        "entity": "aff-1",
        "relation": "affiliate",
        "holding_percent": 12.5,
        "control": False,
        "services": ["custody"],
        "until": LATER,
    },
    "asset.classified": {
        "asset": "eth",
        "class": "other",
        "technology": "evm",
        "reference_currency": "EUR",
        "basket": "mixed",
        "liquid": True,
        "identifiable_issuer": False,
        "type_group": "large",
        "approved_by": "st-1",
        "dti": "X9J9K872S",
        "caip19": "eip155:1/slip44:60",
    },
    "product.classified": {"product": "staking", "service": "custody", "same_type_as": "earn", "approved_by": "st-1"},
    "country.scoped": {"country": "CH", "in_scope": True},
}
assert set(DATA) == set(TYPES)


def example(name: str, id: str = "e-1") -> dict[str, Any]:
    """The whole event."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": "//platform.example/events",
        "type": f"gate61.{name}.v1",
        "subject": "cl-1",
        "time": TIME,
        "recordedtime": TIME,
        "datacontenttype": "application/json",
        "data": DATA[name],
    }
