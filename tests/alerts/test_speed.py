"""Speed: a thousand alerts a second are grouped without falling behind, and a flood of old groups slows nothing."""

import time
from pathlib import Path

import pytest

from streams.alerts.grouping import fold
from streams.alerts.speaking import speak
from tests.alerts.telling import Telling, channel, config, decided

pytestmark = pytest.mark.alone
ALERTS = 20_000
BATCH = 500
ASKED = 1_000
"""Alerts a second."""


def test_a_thousand_alerts_a_second_are_grouped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty seconds' worth, of 5,000 clients to three receivers, in batches as a feed gives them, each written to disk.

    Groups speak every quarter of a second, as in the process.
    """
    channels = [channel("all"), channel("flags", verdicts=frozenset({"flag"})), channel("people", kind="apprise")]
    alerts = Telling(tmp_path, config(*channels))
    leading = ("CAMPAIGN_EXPOSURE", "WINDOW_EXPIRED", "NEW_ASSET_TYPE")
    events = [
        decided(f"d-{n}", f"c-{n % 5_000}", leading[n % 3], ("flag", "block")[n % 2], ("custody", "advice")[n % 2])
        for n in range(ALERTS)
    ]
    told = alerts.told(*events)
    longest = 0.0
    began = time.perf_counter()
    for first in range(0, ALERTS, BATCH):
        start = time.perf_counter()
        fold(alerts.engine, alerts.config, told[first : first + BATCH], alerts.now)
        alerts.now += round(BATCH / ASKED * 1_000_000)
        for _ in range(2):
            speak(alerts.engine, alerts.config, alerts.now)
        longest = max(longest, time.perf_counter() - start)
    rate = ALERTS / (time.perf_counter() - began)
    alerts.through(400, 5)
    said = alerts.messages("all")
    assert sum(m["data"]["counts"]["new"] for m in said) == ALERTS
    assert len(said) < 100
    with capsys.disabled():
        print(f"\n{rate:,.0f} alerts a second to three receivers; the longest batch of {BATCH} took {longest:.2f} s")
    assert rate > ASKED
