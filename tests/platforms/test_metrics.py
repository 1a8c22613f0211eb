"""What dashboards are made from: the document of the metrics names what the services really have."""

import re
from pathlib import Path
from typing import get_args

import pytest
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry, Counter

from streams.alerts.metrics import Metrics as OfAlerts
from streams.counting import Became, Judged
from streams.desk.app import desk_app
from streams.serve.metrics import Metrics as OfServe
from streams.web.metrics import Metrics as OfAsk
from streams.worker.metrics import Metrics as OfWorker
from tests.desk.desks import Office

SERVICES: dict[str, type[OfWorker | OfServe | OfAsk | OfAlerts]] = {
    "worker": OfWorker,
    "serve": OfServe,
    "ask": OfAsk,
    "alerts": OfAlerts,
}
Row = tuple[str, list[str], str]


def document() -> dict[str, str]:
    """Its parts, by service."""
    text = Path("deploy/metrics.md").read_text()
    return dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))


def rows(part: str) -> list[list[str]]:
    """The cells of its table: name, labels, what it says, unit."""
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if "gate61_" in line]
    return [cells for cells in found if len(cells) == 4]


def registered(registry: CollectorRegistry) -> list[Row]:
    """Name as Prometheus sees it, labels and meaning of all that is registered."""
    collectors = dict.fromkeys(registry._collector_to_names)
    return [
        (c._name + "_total" * isinstance(c, Counter), list(c._labelnames), c._documentation)  # type: ignore[attr-defined]
        for c in collectors
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_the_document_names_every_metric_with_labels_meaning_and_unit(service: str) -> None:
    """A unit that is part of a name is the one that is said."""
    table = rows(document()[service])
    told = [(name.strip("`"), re.findall(r"`(\w+)`", labels), says) for name, labels, says, _ in table]
    assert sorted(told) == sorted(registered(SERVICES[service]().registry))
    for name, _, _, unit in table:
        assert unit and all(
            word == unit for word in re.findall(r"_(seconds|records|events|clients)(?=_total`|`)", name)
        )


@pytest.mark.parametrize("service", ["worker", "serve"])
def test_what_becomes_of_events_is_told_in_the_same_words(service: str) -> None:
    """Whoever runs a gate in both ways has one dashboard."""
    registry = CollectorRegistry()
    Judged(registry)
    here = registered(SERVICES[service]().registry)
    assert all(row in here for row in registered(registry))
    (labels,) = [row[1] for row in rows(document()[service]) if row[0] == "`gate61_events_total`"]
    assert labels == f"`what`: {', '.join(get_args(Became))}"


def test_services_without_metrics_are_named(tmp_path: Path) -> None:
    """Every service has its part; the desk's says that there are none."""
    assert set(document()) == {*SERVICES, "desk"}
    office = Office(tmp_path)
    try:
        paths = {route.path for route in desk_app(office.desk).routes if isinstance(route, APIRoute)}
    finally:
        office.close()
    assert "/readyz" in paths and "/metrics" not in paths
