"""Many open items, written straight into a desk's store."""

import json
from typing import Any

from sqlalchemy import Engine

from gate.facts import Instant
from gate.policy import SECOND
from streams.desk import tables as t

REASONS = ("WINDOW_SOFT_LIMIT", "TYPE_UNCLASSIFIED", "PERSON_CHAIN_SOLICITATION", "NO_REQUEST", "LOCATION_UNKNOWN")
SERVICES = ("custody", "exchange_crypto", "advice", "transfer", "placing", "execution")
COUNTRIES = ("DE", "FR", "ES", "IT", "NL", "PL", "SE", "AT", "IE", "GR", "PT", "FI")
PEOPLE = ("rita", "rolf", "anna")


def item(n: int, latest: Instant) -> dict[str, Any]:
    """The `n`th item, recorded `n` seconds before `latest`; one in five is held."""
    held, leading = n % 5 == 0, REASONS[n * 7 % len(REASONS)]
    reason = {"code": leading, "said": f"sentence {n}", "verdict": "block", "law": "", "rule": "", "facts": [f"f{n}"]}
    data = {"decision": f"d-{n:07}", "reasons": [reason] * 3, "countries": [COUNTRIES[n % len(COUNTRIES)]]}
    return {
        "id": f"d-{n:07}",
        "client": f"cl-{n % 20_000}",
        "offer": f"of-{n}",
        "source": "//platform.example/x",
        "event": f"o-{n}",
        "verdict": "flag" if held else "block",
        "leading": leading,
        "rank": 0 if held else 1,
        "open": True,
        "hard_until": latest + n * SECOND if held else None,
        "at": latest - n * SECOND,
        "recorded": latest - n * SECOND,
        "place": n,
        "service": SERVICES[n * 11 % len(SERVICES)],
        "asset": "BTC" if n % 3 else None,
        "body": json.dumps({"data": data}),
    }


def fill(engine: Engine, many: int, latest: Instant) -> None:
    """So many open items, each in one country or two, every tenth taken on by somebody."""
    with engine.begin() as connection:
        for start in range(0, many, 10_000):
            numbers = range(start, min(many, start + 10_000))
            connection.execute(t.decision.insert(), [item(n, latest) for n in numbers])
            places = {(COUNTRIES[n * step % len(COUNTRIES)], f"d-{n:07}") for n in numbers for step in (1, 5)}
            connection.execute(t.country.insert(), [{"country": c, "decision": d} for c, d in sorted(places)])
            taken = [{"decision": f"d-{n:07}", "person": PEOPLE[n % 3], "at": latest} for n in numbers if n % 10 == 0]
            connection.execute(t.assignment.insert(), taken)
