"""How messages arrive, or do not: signatures, the schedule, and receivers that behave badly."""

import asyncio
import base64
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from gate.policy import SECOND
from streams.alerts import outbox
from streams.alerts.config import Channel
from streams.alerts.courier import Courier
from streams.alerts.metrics import Metrics
from streams.alerts.posting import Poster
from streams.alerts.receivers import receiver
from streams.alerts.signing import Signer
from streams.alerts.trying import send_again, try_channel
from streams.web.clock import now
from tests.alerts.receiving import receiving
from tests.alerts.telling import SHARED, Telling, channel, config, decided, released

ALLOWED = frozenset({"127.0.0.1"})


async def _do(work: Callable[..., Any], *given: Any) -> Any:
    return work(*given)


def carry(alerts: Telling, used: Channel, seconds: float = 5.0) -> None:
    """One attempt of all that is due to a channel."""
    outbox.known(alerts.engine, used.name, used.digest)
    to = receiver(used, Poster(ALLOWED, seconds=seconds), ALLOWED)

    async def go() -> None:
        courier = Courier(alerts.engine, used, to, _do, alerts, Metrics())
        await courier.carry()
        await courier.settled()

    asyncio.run(go())


def told(folder: Path, *channels: Channel, **grouping: Any) -> Telling:
    """One alert waits for each channel."""
    alerts = Telling(folder, config(*channels, **grouping), now())
    alerts.happens(decided("d-1"))
    alerts.after(5)
    return alerts


def state(alerts: Telling) -> tuple[str, int, str]:
    """Of the only message: state, attempts, what was said."""
    (each,) = outbox.named(alerts.engine, [m["id"] for m in alerts.messages()])
    return each.state, each.attempts, each.said


def test_shared_keys_sign_as_the_library_checks(tmp_path: Path) -> None:
    """Old and new key sign side by side; the id is that of the message, the stamp that of the attempt."""
    other = "whsec_" + base64.b64encode(b"0123456789" * 4).decode()
    with receiving() as there:
        used = channel(url=there.url, signer=Signer([SHARED, other]))
        alerts = told(tmp_path, used)
        carry(alerts, used)
    (seen,) = there.taken
    for key in (SHARED, other):
        assert Webhook(key).verify(seen.body, seen.headers)["type"] == "gate61.alert.opened"
    assert seen.id == alerts.messages()[0]["id"]
    assert seen.headers["content-type"] == "application/json"
    assert state(alerts) == ("sent", 1, "arrived (200)")


@pytest.mark.parametrize("long", [False, True])
def test_own_keys_sign_as_anybody_can_check(tmp_path: Path, long: bool) -> None:
    """Ed25519, `v1a`, checked with the public half that `gate61 alerts channels` shows."""
    key = Ed25519PrivateKey.generate()
    raw = key.private_bytes_raw() + (key.public_key().public_bytes_raw() if long else b"")
    signer = Signer(["whsk_" + base64.b64encode(raw).decode()])
    with receiving() as there:
        used = channel(url=there.url, signer=signer)
        carry(told(tmp_path, used), used)
    (seen,) = there.taken
    (public,) = signer.public()
    version, _, signature = seen.headers["webhook-signature"].partition(",")
    assert version == "v1a" and public.startswith("whpk_")
    said = b"%s.%s.%s" % (seen.id.encode(), seen.headers["webhook-timestamp"].encode(), seen.body)
    Ed25519PublicKey.from_public_bytes(base64.b64decode(public[5:])).verify(base64.b64decode(signature), said)


def test_the_schedule_to_its_end_and_again_by_hand(tmp_path: Path) -> None:
    """Ten attempts at the times of Standard Webhooks, under one id; then dead, listed, and sent by hand."""
    with receiving(*["500"] * 10) as there:
        used = channel(url=there.url)
        alerts = told(tmp_path, used)
        for wait in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400):
            alerts.now += wait * SECOND - SECOND
            before = len(there.seen)
            carry(alerts, used)
            assert len(there.seen) == before, wait
            alerts.now += SECOND
            carry(alerts, used)
            assert len(there.seen) == before + 1, wait
        assert state(alerts) == ("dead", 10, "refused (500): it was said: no")
        alerts.now += 10**13
        carry(alerts, used)
        assert len(there.seen) == 10 and not there.taken
        (dead,) = outbox.dead(alerts.engine)
        (sent,) = asyncio.run(send_again(alerts.engine, alerts.config, [dead.id], Poster(ALLOWED)))
        assert sent.state == "sent" and [s.id for s in there.taken] == [dead.id]
        assert len({s.id for s in there.seen}) == 1 and len({s.body for s in there.seen}) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("hang", "no whole answer within 1 s"),
        ("slow 500", "refused (500)"),
        ("bigflood", "refused (500)"),
        ("headers", "protocol error"),
        ("nonsense", "protocol error"),
        ("cut", ""),
        ("302 http://127.0.0.1:1/", "it redirects (302), which is not followed"),
        ("404", "refused (404)"),
    ],
)
def test_who_behaves_badly_is_refused_and_tried_again(tmp_path: Path, fault: str, said: str) -> None:
    """In limited time, with little read, and nothing lost: five seconds later the same message arrives."""
    with receiving(fault) as there:
        used = channel(url=there.url)
        alerts = told(tmp_path, used)
        began = time.monotonic()
        carry(alerts, used, seconds=1)
        assert time.monotonic() - began < 5
        status, attempts, what = state(alerts)
        assert (status, attempts) == ("waiting", 1) and said in what
        alerts.now += 5 * SECOND
        carry(alerts, used)
        assert state(alerts)[0] == "sent" and len(there.ids()) == 1


@pytest.mark.parametrize("fault", ["garbage", "flood", "drip", "201", "204"])
def test_2xx_has_arrived_whatever_else_is_said(tmp_path: Path, fault: str) -> None:
    """Garbage, an endless body, one that drips: the status is the answer."""
    with receiving(fault) as there:
        used = channel(url=there.url)
        alerts = told(tmp_path, used)
        began = time.monotonic()
        carry(alerts, used)
        assert time.monotonic() - began < 4
        assert state(alerts)[0] == "sent"


def test_redirects_are_not_followed(tmp_path: Path) -> None:
    """Not even to an allowed host."""
    with receiving() as other, receiving(f"307 {other.url}", f"302 {other.url}") as there:
        used = channel(url=there.url)
        alerts = told(tmp_path, used)
        carry(alerts, used)
        alerts.now += 5 * SECOND
        carry(alerts, used)
        assert len(there.seen) == 2 and not other.seen


def test_410_disables_until_somebody_enables(tmp_path: Path) -> None:
    """Nothing more is sent; what comes meanwhile is kept among the dead. Another address begins anew."""
    with receiving("410") as there:
        used = channel(url=there.url)
        alerts = told(tmp_path, used)
        carry(alerts, used)
        alerts.happens(decided("d-2", "c-2"))
        alerts.after(5)
        outbox.bury_gone(alerts.engine)
        carry(alerts, used)
        assert len(there.seen) == 1 and len(outbox.dead(alerts.engine)) == 2
        assert outbox.disabled(alerts.engine) == {"siem"}
        ids = [d.id for d in outbox.dead(alerts.engine)]
        asyncio.run(send_again(alerts.engine, alerts.config, ids, Poster(ALLOWED)))
        assert len(there.seen) == 1
        assert outbox.known(alerts.engine, "siem", used.digest, enable=True)
        found = asyncio.run(send_again(alerts.engine, alerts.config, ids, Poster(ALLOWED)))
        assert [d.state for d in found] == ["sent", "sent"] and len(there.ids()) == 2
    assert outbox.known(alerts.engine, "siem", "another")


def test_a_receiver_that_is_gone_keeps_no_other_from_what_is_sent_again(tmp_path: Path) -> None:
    """Its own messages stay dead."""
    with receiving("410") as gone, receiving("410", "200") as there:
        one, other = channel("siem", url=gone.url), channel("chat", url=there.url)
        alerts = told(tmp_path, one, other)
        carry(alerts, one)
        carry(alerts, other)
        outbox.bury_gone(alerts.engine)
        ids = [d.id for d in outbox.dead(alerts.engine)]
        assert len(ids) == 2 and outbox.known(alerts.engine, "chat", other.digest, enable=True)
        found = asyncio.run(send_again(alerts.engine, alerts.config, ids, Poster(ALLOWED)))
        assert {d.channel: d.state for d in found} == {"siem": "dead", "chat": "sent"}
        assert len(gone.seen) == 1


@pytest.mark.parametrize("status", ["429", "503"])
def test_retry_after_is_honoured_for_the_whole_channel(tmp_path: Path, status: str) -> None:
    """Who asks for 100 seconds is left alone for 100 seconds, also with other messages."""
    with receiving(f"{status} 100") as there:
        used = channel(url=there.url)
        alerts = told(tmp_path, used)
        carry(alerts, used)
        alerts.happens(decided("d-2", "c-2"))
        alerts.after(94)
        carry(alerts, used)
        assert len(there.seen) == 1
        alerts.now += 6 * SECOND
        carry(alerts, used)
        assert len(there.taken) == 2


def test_retry_after_as_a_date_and_beyond_reason(tmp_path: Path) -> None:
    """A date is read; a year is a day; nonsense is nothing."""
    from streams.alerts.posting import _after

    at = 1_700_000_000 * SECOND
    assert _after("Tue, 14 Nov 2023 22:13:50 GMT", at) == 30 * SECOND
    assert _after("Tue, 14 Nov 2023 22:13:10 GMT", at) == 0
    for nonsense in ("soon", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"):
        assert _after(nonsense, at) is None
    with receiving("503 99999999") as there:
        used = channel(url=there.url)
        alerts = told(tmp_path, used)
        carry(alerts, used)
        alerts.now += 86_400 * SECOND
        carry(alerts, used)
        assert len(there.taken) == 1


def test_who_hangs_holds_up_nobody_else(tmp_path: Path) -> None:
    """Another channel has its message while one hangs; and of the one that hangs no message keeps others waiting."""
    with receiving(*["hang"] * 3) as bad, receiving() as good:
        used = [channel("bad", url=bad.url), channel("good", url=good.url)]
        alerts = told(tmp_path, *used)
        alerts.happens(*(decided(f"d-{n}", f"c-{n}") for n in range(2, 5)))
        alerts.after(5)
        for each in used:
            outbox.known(alerts.engine, each.name, each.digest)
        poster = Poster(ALLOWED, seconds=10)

        async def rounds(courier: Courier) -> None:
            while True:
                await courier.round()

        async def go() -> float:
            couriers = [Courier(alerts.engine, c, receiver(c, poster, ALLOWED), _do, alerts, Metrics()) for c in used]
            tasks = [asyncio.create_task(rounds(c)) for c in couriers]
            began = time.monotonic()
            while len(good.taken) < 4 or len(bad.taken) < 1:
                await asyncio.sleep(0.01)
                assert time.monotonic() - began < 8
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, *(c.stop() for c in couriers), return_exceptions=True)
            return time.monotonic() - began

        assert asyncio.run(go()) < 8


def test_pagerduty_opens_and_resolves_one_incident_a_group(tmp_path: Path) -> None:
    """One dedup key; resolved when nothing of the group is held any more; the client is not named."""
    with receiving(*["202"] * 9) as there:
        used = channel("pd", "pagerduty", url=there.url, signer=None, routing_key="R" * 32, show_client=False)
        alerts = told(tmp_path, used)
        carry(alerts, used)
        alerts.happens(released("r-1", "d-1"))
        alerts.after(5)
        carry(alerts, used)
    opened, resolved = (s.json for s in there.taken)
    assert (opened["event_action"], resolved["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == resolved["dedup_key"]
    assert opened["payload"]["severity"] == "warning" and "1 held" in opened["payload"]["summary"]
    assert b"c-1" not in there.taken[0].body and opened["routing_key"] == "R" * 32


def test_pagerduty_keeps_the_order_of_a_group(tmp_path: Path) -> None:
    """A trigger that is tried again never opens what has been resolved since; 400 is given up at once."""
    with receiving("500", "400") as there:
        used = channel("pd", "pagerduty", url=there.url, signer=None, routing_key="R" * 32)
        alerts = told(tmp_path, used)
        carry(alerts, used)
        alerts.happens(released("r-1", "d-1"))
        alerts.after(4)
        carry(alerts, used)
        assert len(there.seen) == 1
        alerts.after(1)
        carry(alerts, used)
        carry(alerts, used)
        assert [s.json["event_action"] for s in there.seen] == ["trigger", "trigger", "resolve"]
        (dead,) = outbox.dead(alerts.engine)
        (again,) = asyncio.run(send_again(alerts.engine, alerts.config, [dead.id], Poster(ALLOWED)))
        assert again.said.startswith("overtaken") and len(there.seen) == 3


def test_a_test_alert_says_what_happened() -> None:
    """Arrived or not; an incident it opens is resolved."""
    with receiving("200", "500") as there:
        used = channel(url=there.url)
        assert [a.said for _, a in asyncio.run(try_channel(used, ALLOWED))] == ["arrived (200)"]
        Webhook(SHARED).verify(there.seen[0].body, there.seen[0].headers)
        assert not asyncio.run(try_channel(used, ALLOWED))[0][1].arrived
        duty = channel("pd", "pagerduty", url=there.url, signer=None, routing_key="R" * 32)
        assert len(asyncio.run(try_channel(duty, ALLOWED))) == 2
    assert [s.json.get("event_action") for s in there.taken[1:]] == ["trigger", "resolve"]


def test_apprise_reaches_what_is_allowed(tmp_path: Path) -> None:
    """By a process of its own: a plugin of apprise posts to the receiver, which is allowed by name."""
    with receiving() as there:
        used = channel("chat", "apprise", url=f"json://127.0.0.1:{there.port}/in", signer=None, show_client=False)
        alerts = told(tmp_path, used)
        carry(alerts, used)
        assert state(alerts) == ("sent", 1, "arrived, says apprise")
    assert "CAMPAIGN_EXPOSURE" in there.taken[0].json["title"]
    assert "held: d-1" in there.taken[0].json["message"] and b"c-1" not in there.taken[0].body


@pytest.mark.parametrize(
    ("host", "allowed", "faults", "said"),
    [
        ("127.0.0.1", frozenset(), [], "which is loopback"),
        ("localhost", frozenset({"127.0.0.1"}), [], "which is loopback"),
        ("127.0.0.1", ALLOWED, ["302 /elsewhere"], "status 302"),
        ("127.0.0.1", ALLOWED, ["500"], "status 500"),
    ],
)
def test_apprise_is_guarded(host: str, allowed: frozenset[str], faults: list[str], said: str) -> None:
    """Addresses that are not public are refused at its sockets; redirects are not followed."""
    from streams.alerts import by_apprise

    with receiving(*faults) as there:
        arrived, what = asyncio.run(by_apprise.send(f"json://{host}:{there.port}/in", "t", "b", allowed))
        assert not arrived and said in what
        assert len(there.seen) == len(faults)


def test_apprise_that_hangs_is_ended() -> None:
    """Its process, not only our patience."""
    from streams.alerts import by_apprise

    with receiving("hang") as there:
        began = time.monotonic()
        url = f"json://127.0.0.1:{there.port}/in"
        arrived, what = asyncio.run(by_apprise.send(url, "t", "b", ALLOWED, seconds=4))
        assert not arrived and "was ended" in what and time.monotonic() - began < 12


def test_logs_hold_no_payload_and_no_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Channel, message and status: no client, no offer, no URL, no word of the receiver."""
    caplog.set_level(logging.DEBUG)
    with receiving("500") as there, capture_logs() as logs:
        used = channel(url=there.url + "?token=hush")
        carry(told(tmp_path, used), used)
        (entry,) = logs
        assert entry.keys() == {"channel", "message", "status", "attempts", "event", "log_level"}
        assert "hush" not in repr(used) + repr(logs)
