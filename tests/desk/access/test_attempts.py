"""Guessing passwords: what is counted, of whom, and for how long, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import select

from streams.desk.access import people as of
from streams.desk.access.people import FREE_ATTEMPTS, FREE_ATTEMPTS_HERE, People, TooMany
from tests.desk.desks import PASSWORD, Office, office


@pytest.fixture
async def desk(tmp_path: Path, address: str) -> AsyncIterator[Office]:
    async with office(tmp_path, address) as opened:
        yield opened


def counts(desk: Office) -> dict[str, int]:
    """Failures by mark."""
    with desk.engine.connect() as connection:
        return {row.who: row.failures for row in connection.execute(select(of.attempt))}


def slowed(desk: Office, who: str, address: str) -> int:
    """How long this one would have to wait."""
    try:
        desk.desk.people.check(who, "wrong", address, desk.clock())
    except TooMany as many:
        return many.seconds
    return 0


def test_many_at_once_are_no_more_than_many_one_after_the_other(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eighteen begin before the first password is looked at."""
    at, tried, together = desk.clock(), [], Barrier(18)

    def verified(people: People, stored: str | None, password: str) -> bool:
        tried.append(password)
        return False

    monkeypatch.setattr(People, "_verified", verified)

    def guess(n: int) -> bool:
        together.wait()
        try:
            desk.desk.people.check("rita", f"guess {n}", f"10.0.0.{n}", at)
        except TooMany:
            return False
        return True

    with ThreadPoolExecutor(18) as pool:
        passed = sum(pool.map(guess, range(18)))
    assert passed == len(tried) == counts(desk)["person rita"] == FREE_ATTEMPTS
    assert sum(mark.startswith("address") for mark in counts(desk)) == FREE_ATTEMPTS


def test_who_is_let_in_leaves_no_count(desk: Office) -> None:
    """Also at an address that many share: their right passwords slow nobody down."""
    for n in range(3 * FREE_ATTEMPTS_HERE):
        assert desk.desk.people.check(("rita", "rolf")[n % 2], PASSWORD, "10.0.0.1", desk.clock()) is not None
    assert counts(desk) == {"address 10.0.0.1": 0}
    for n in range(FREE_ATTEMPTS_HERE):
        assert not slowed(desk, f"person-{n}", "10.0.0.1")
    desk.clock.pass_(seconds=3)
    for _ in range(3):
        assert desk.desk.people.check("rita", PASSWORD, "10.0.0.1", desk.clock()) is not None
    assert counts(desk)["address 10.0.0.1"] == FREE_ATTEMPTS_HERE
    assert not slowed(desk, "vera", "10.0.0.1") and slowed(desk, "vera", "10.0.0.1") == 2


def test_counts_are_forgotten_in_time(desk: Office) -> None:
    """Nobody fills the store with people who are not there."""
    for n in range(100):
        slowed(desk, f"nobody-{n}", f"10.0.{n}.1")
    assert len(counts(desk)) == 200
    desk.clock.pass_(hours=1, seconds=1)
    slowed(desk, "rita", "10.0.0.1")
    assert counts(desk) == {"person rita": 1, "address 10.0.0.1": 1}


def test_a_network_of_ipv6_is_one_address(desk: Office) -> None:
    """Whoever has one has 2^64 addresses in it; IPv4 in IPv6 is itself."""
    for n in range(FREE_ATTEMPTS_HERE):
        assert not slowed(desk, f"person-{n}", f"2001:db8:0:1::{n:x}")
    assert slowed(desk, "vera", "2001:db8:0:1:ffff::1") and not slowed(desk, "vera", "2001:db8:0:2::1")
    slowed(desk, "rolf", "::ffff:10.0.0.7")
    slowed(desk, "otto", "10.0.0.7")
    slowed(desk, "otto", "fe80::1%eth0")
    slowed(desk, "otto", "unknown")
    found = counts(desk)
    assert found["address 10.0.0.7"] == 2 and found["address 2001:db8:0:1::/64"] == FREE_ATTEMPTS_HERE
    assert found["address fe80::/64"] == found["address unknown"] == 1
