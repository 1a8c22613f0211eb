"""What a platform reads of an event that was rejected: the contract's words, and what may stand there instead."""

import json
from typing import Any

import pytest

from streams.border.wire import Rejected, read

OFFER = {"offer": "of-1", "service": "custody", "channel": "email", "content": "offer"}
STARTED = {"campaign": "c-1", "by": "e-1", "kind": "brand", "countries": "*"}
IDENT = "must have 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -"
COUNTRY = "must be a country of ISO 3166-1 alpha-2, such as DE"


def said(name: str, data: dict[str, Any]) -> str:
    event = {"specversion": "1.0", "id": "a", "source": "//x", "subject": "c", "time": "2026-03-02T10:00:00Z"}
    line = json.dumps(event | {"type": f"gate61.{name}.v1", "data": data}).encode()
    rejected = read(line, 0, 60_000_000, None)
    assert isinstance(rejected, Rejected) and rejected.reason in ("BAD_FIELD", "UNKNOWN_TYPE")
    return rejected.message


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("client.located", {"indicator": "ip", "country": "XX"}, f"`data.country` {COUNTRY}"),
        ("campaign.started", STARTED | {"countries": ["XX"]}, f"an item of `data.countries` {COUNTRY}"),
        ("campaign.started", STARTED | {"countries": "XX"}, "`data.countries` is 'XX', none of EEA, *"),
        ("campaign.started", STARTED | {"countries": ["EEA"]}, '; give a list such as ["DE"], or EEA or * instead'),
        ("offer.proposed", OFFER | {"offer": "a b"}, f"`data.offer` {IDENT}"),
        ("offer.proposed", OFFER | {"promotes": [{"asset": "a b"}]}, f"`data.promotes.asset` {IDENT}"),
        ("offer.proposed", OFFER | {"offer": None}, "`data.offer` is missing"),
        ("offer.proposed", OFFER | {"link": "x"}, "`data.link` must be true or false, and is text"),
        ("offer.proposed", OFFER | {"content": "x"}, "`data.content` is 'x', none of offer, service_notice, "),
        (
            "entity.registered",
            {"entity": "e", "relation": "group", "holding_percent": 200},
            "`data.holding_percent` must be at most 100",
        ),
        (
            "evidence.approved",
            {"evidence": "e" * 129, "by": "st-1"},
            f"`data.evidence` {IDENT}",
        ),
        ("nothing.known", {}, "deploy/schemas has them all"),
    ],
)
def test_a_field_is_complained_about_in_the_contracts_words(name: str, data: dict[str, Any], told: str) -> None:
    message = said(name, data)
    assert told in message
    assert not any(word in message for word in ("regex", "enum", "Expected", "$[", "`str`")), message


@pytest.mark.parametrize("service", ["foo", "Custody", "'"])
def test_every_choice_is_named(service: str) -> None:
    """Also inside what an offer promotes."""
    for data in (OFFER | {"service": service}, OFFER | {"promotes": [{"service": service}]}):
        assert "none of custody, trading_platform," in said("offer.proposed", data) and said(
            "offer.proposed", data
        ).endswith(", transfer")


def test_where_json_breaks_off_is_said_once() -> None:
    rejected = read(b'{"a": "x', 0, 1, None)
    assert isinstance(rejected, Rejected) and rejected.message == "Unterminated string starting at character 6"
