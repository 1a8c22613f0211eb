"""The month behind the desk: an embedded gate that has taken it, and a clock that goes on from its last event.

So what was held last may still be released. Everything is in a folder that is removed at the end.
"""

from pathlib import Path
from secrets import choice
from tempfile import TemporaryDirectory
from time import monotonic

import httpx
import msgspec

from gate.facts import Instant
from gate.policy import SECOND, Policy
from streams.demo import PATH, filled
from streams.desk.access.roles import Role
from streams.desk.app import desk_app
from streams.desk.running import desk_at, store_at
from streams.feed import Feed, Sender
from streams.feed.embedded import EmbeddedFeed
from streams.feed.sending import EmbeddedSender
from streams.serve.app import Service
from streams.serve.bodies import Arrival
from streams.serve.intake import Intake
from streams.web.access import Access
from streams.web.clock import Clock
from streams.web.listening import listen

HERE = "http://127.0.0.1"
STAFF = {"st-reviewer": ("Reviewer", ("reviewer",)), "st-approver": ("Approver", ("approver", "auditor", "admin"))}
"""Who may sign in to the demo: two, since what matters needs two."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def serve_month(policy: Policy, port: int) -> None:
    """Serve the desk until told to stop."""
    with TemporaryDirectory(prefix="gate61-demo-") as folder:
        clock = MonthClock()
        intake = Intake(policy, Path(folder) / "gate.db", clock, trust_recordedtime=True)
        clock.goes_on(played(intake))
        feed, sender = of(intake, clock)
        desk = desk_at(feed, sender, store_at(f"sqlite:///{folder}/desk.db"), clock)
        password = "-".join("".join(choice(_LETTERS) for _ in range(5)) for _ in range(4))
        for id, (name, roles) in STAFF.items():
            desk.people.add(id, name, frozenset(map(Role, roles)), password, clock())
        told = f"Sign in to the desk as {' or '.join(STAFF)}, password {password}; Ctrl-C ends it."
        try:
            listen(desk_app(desk), "127.0.0.1", port, "the desk", stopping=desk.live.end, also=told)
        finally:
            intake.close()


def of(intake: Intake, clock: Clock) -> tuple[Feed, Sender]:
    """The gate's logs and the way to it, in this process."""
    door = httpx.ASGITransport(Service(intake, Access(None), clock).app)
    return EmbeddedFeed(HERE, transport=door), EmbeddedSender(HERE, transport=door)


class MonthClock:
    """Stands still while the month is played; then it goes on from its last event."""

    def __init__(self) -> None:
        self._last: Instant = 0
        self._begun: float | None = None

    def goes_on(self, last: Instant) -> None:
        """It is a second after that, and time passes."""
        self._last, self._begun = last + SECOND, monotonic()

    def __call__(self) -> Instant:
        """Now."""
        return self._last if self._begun is None else self._last + int((monotonic() - self._begun) * SECOND)


def played(intake: Intake) -> Instant:
    """Have the gate take the month; returns when its last event was recorded."""
    return intake.run(lambda: _play(intake)).result()


def _play(intake: Intake) -> Instant:
    decisions: dict[str, list[str]] = {}
    for line in PATH.read_bytes().splitlines():
        portion = intake.take([Arrival(filled(line, decisions))])
        while intake.walk().walking:
            pass
        behind = portion.change.out if portion.change else []
        for out in (*portion.results[0].out, *behind):
            event = msgspec.json.decode(out.data)
            if event["type"] == "gate61.offer.decided.v1":
                decisions.setdefault(event["data"]["event"]["id"], []).append(event["data"]["decision"])
    return intake.gate.recorded
