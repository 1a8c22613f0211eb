"""One answer in full, as text without markup: why, by which law, on which facts, what would have had to be different."""

from datetime import datetime

from rich.text import Text

from gate.facts import Instant
from gate.instants import text
from streams.border.wire import instant_of
from streams.remedies import remedy
from streams.since import age
from streams.terminal import plain
from streams.watch.answers import Flagged, Why
from streams.watch.views import where

TONES = {"held": "yellow", "blocked": "red", "released": "green"}


def detail(flagged: Flagged, now: Instant) -> Text:
    """What the gate said, and since when."""
    lines = Text()
    lines.append(flagged.state.upper(), f"bold {TONES[flagged.state]}")
    lines.append(plain(f"  offer {flagged.offer} to {flagged.client}, in {where(flagged)}") + "\n", "bold")
    _line(lines, "answered", f"{text(flagged.recorded)}, {age(flagged.recorded, now)} ago{_sending(flagged)}")
    _window(lines, flagged, now)
    for number, reason in enumerate(flagged.reasons, 1):
        _reason(lines, number, reason)
    if flagged.initiation is not None:
        proof = ", ".join(flagged.initiation.evidence) or "none"
        state = flagged.initiation.state.replace("_", " ")
        _line(lines, "\ninitiation", f"{state}; evidence {proof}, grade {flagged.initiation.grade}")
    if flagged.supersedes is not None:
        because = f", because of {flagged.because.id}" if flagged.because else ""
        _line(lines, "supersedes", flagged.supersedes + because)
    if flagged.policy is not None:
        _line(lines, "policy", f"{flagged.policy.version} {flagged.policy.digest}")
    if flagged.cut:
        _line(lines, "cut", "it had more ids, and longer sentences, than its topic takes")
    _line(lines, "decision", flagged.decision)
    return lines


def _line(lines: Text, name: str, said: str) -> None:
    before = "\n" if name.startswith("\n") else ""
    lines.append(f"{before}{name.strip(chr(10)):<12}", "dim")
    lines.append(f"{plain(said)}\n")


def _sending(flagged: Flagged) -> str:
    return "" if flagged.at is None else f"; to be sent {_time(flagged.at)}"


def _window(lines: Text, flagged: Flagged, now: Instant) -> None:
    scope = flagged.scope
    if scope is None:
        _line(lines, "window", "none: nothing was asked for that this offer could lean on")
        return
    asked = scope.service + (f", asset {scope.asset}" if scope.asset else "")
    limits = f"soft limit {_time(scope.soft_until)}, hard limit {_time(scope.hard_until)}"
    _line(lines, "window", f"{asked}; asked {_time(scope.opened_at)}, {limits} ({left(flagged, now)}), {scope.state}")


def _reason(lines: Text, number: int, reason: Why) -> None:
    lines.append(f"\n{number}. ")
    lines.append(plain(reason.code), "bold")
    verdict = f" ({reason.verdict})" if reason.verdict else ""
    lines.append(plain(f"{verdict}: {reason.said}") + "\n")
    if reason.law:
        _line(lines, "   law", reason.law)
    if reason.facts:
        _line(lines, "   facts", ", ".join(reason.facts))
    _line(lines, "   remedy", remedy(reason.code, reason.verdict))


def left(flagged: Flagged, now: Instant) -> str:
    """For how long people may still release it: `3 h 20 min left`, `shut`, or `-` where nobody may, or there is no window."""
    until = flagged.hard_until
    if until is None:
        return "-"
    return f"{age(now, until)} left" if until > now else "shut"


def _time(at: datetime) -> str:
    return text(instant_of(at))
