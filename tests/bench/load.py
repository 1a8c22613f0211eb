"""Seeded loads for the benchmark: mixed events of many clients, in order of time, as lines of JSON."""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

START = datetime(2026, 3, 1, tzinfo=UTC)
CHANNELS = ["email", "push", "ads", "search", "social", "influencers", "affiliates", "sponsorship", "calls", "group"]
COUNTRIES = ["DE", "FR", "ES", "IT", "NL", "AT", "PL", "SE", "FI", "US", "SG"]


def event(kind: str, id: str, subject: str, at: datetime, data: Mapping[str, object]) -> str:
    """One structured CloudEvent as a line."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": id,
            "source": f"//bench.example/{kind.split('.')[0]}",
            "type": f"gate61.{kind}.v1",
            "subject": subject,
            "time": at.isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": data,
        }
    )


def register(campaigns: int = 3, addressed: tuple[str, ...] = ("US", "GR")) -> Iterator[str]:
    """The register: a firm, an affiliate, four assets and running campaigns."""
    at = datetime(2026, 1, 5, tzinfo=UTC)
    yield event("entity.registered", "ent-1", "bench-firm", at, {"entity": "bench-firm", "relation": "firm"})
    yield event("entity.registered", "ent-2", "clicks", at, {"entity": "clicks", "relation": "affiliate"})
    for asset, technology in (("btc", "utxo-pow"), ("ltc", "utxo-pow"), ("eth", "evm"), ("doge", "utxo-pow")):
        data = {
            "asset": asset,
            "class": "other",
            "technology": technology,
            "liquid": True,
            "identifiable_issuer": False,
            "type_group": "large-cap",
            "approved_by": "st-1",
        }
        yield event("asset.classified", f"ast-{asset}", asset, at, data)
    for n in range(campaigns):
        begun = at + timedelta(hours=n)
        data = {"campaign": f"cmp-{n}", "by": "bench-firm", "kind": "advertising", "countries": list(addressed)}
        yield event("campaign.started", f"cps-{n}", f"cmp-{n}", begun, data)


def client_month(n: int, random: Random) -> Iterator[tuple[datetime, str, str, Mapping[str, object]]]:
    """Ten mixed events of one client: located, arrived, requested, proven, offered, sent, contacted."""
    at = START + timedelta(seconds=random.randrange(25 * 86_400), microseconds=random.randrange(1_000_000))
    asset = random.choice(["btc", "ltc", "doge"])
    tx, request = f"tx-{n}", f"req-{n}"
    yield at, "client.located", f"loc-{n}", {"indicator": "kyc_residence", "country": random.choice(COUNTRIES)}
    path: dict[str, object] = {"path": "link", "via": "clicks"} if random.random() < 0.1 else {"path": "direct"}
    yield at + timedelta(minutes=1), "client.arrived", f"arr-{n}", path
    asked = at + timedelta(minutes=5)
    data: dict[str, object] = {
        "service": "exchange_funds",
        "asset": asset,
        "transaction": tx,
        "channel": "email",
        "kind": "request",
    }
    yield asked, "client.requested", request, data
    filed = {"evidence": f"ev-{n}", "supports": "initiation", "request": request, "kind": "inbound_email", "by": "st-2"}
    yield asked + timedelta(minutes=10), "evidence.filed", f"evf-{n}", {**filed, "digest": "ab" * 32}
    search = {**filed, "evidence": f"es-{n}", "supports": "no_solicitation", "kind": "channel_search"}
    yield asked + timedelta(minutes=11), "evidence.filed", f"esf-{n}", {**search, "channels_searched": CHANNELS}
    yield asked + timedelta(minutes=20), "evidence.approved", f"eva-{n}", {"evidence": f"ev-{n}", "by": "st-3"}
    yield asked + timedelta(minutes=21), "evidence.approved", f"esa-{n}", {"evidence": f"es-{n}", "by": "st-3"}
    offered = asked + timedelta(hours=random.choice([1, 2, 30]))
    offer = {
        "offer": f"of-{n}",
        "service": "exchange_funds" if random.random() < 0.9 else "custody",
        "asset": random.choice(["btc", "ltc", "eth"]),
        "channel": "email",
        "transaction": tx,
        "content": "offer",
    }
    yield offered, "offer.proposed", f"prop-{n}", offer
    if random.random() < 0.5:
        yield offered + timedelta(seconds=20), "offer.delivered", f"dlv-{n}", {"offer": f"of-{n}"}
    else:
        contact = {"by": "bench-firm", "means": "email", "content": "service_notice"}
        yield offered + timedelta(hours=3), "firm.contacted", f"con-{n}", contact
    notice = {"offer": f"on-{n}", "service": "exchange_funds", "channel": "email", "content": "service_notice"}
    yield offered + timedelta(hours=5), "offer.proposed", f"not-{n}", notice


def mixed(clients: int, seed: int = 61, shift: timedelta = timedelta()) -> Iterator[str]:
    """The month of many clients, ten events each, merged by time; `shift` moves the month."""
    random = Random(seed)
    months = [(at, f"cl-{n:06d}", k, i, d) for n in range(clients) for at, k, i, d in client_month(n, random)]
    months.sort(key=lambda m: (m[0], m[3]))
    for at, client, kind, id, data in months:
        yield event(kind, id, client, at + shift, data)


def main() -> None:
    """`python -m tests.bench.load CLIENTS FILE` writes the mixed load."""
    clients, path = int(sys.argv[1]), Path(sys.argv[2])
    path.write_text("\n".join([*register(), *mixed(clients)]) + "\n")


if __name__ == "__main__":
    main()
