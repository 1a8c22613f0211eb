"""`gate61 watch`: flagged offers, live."""

import difflib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gate.law import DUTIES
from gate.policy import DAY
from streams.border.complaints import is_country
from streams.commands.common import Since, kafka_or_refuse, refuse, refuse_all, since_or_none
from streams.kafka.topics import topics
from streams.settings import SettingsRefused
from streams.watch.answers import NOWHERE, Wanted, Watched
from streams.watch.views import Json, Lines
from streams.web.clock import now

if TYPE_CHECKING:
    from streams.feed.opening import Gate
    from streams.watch.following import Open
    from streams.watch.sources import Start

ON_THE_WAY: Final = 10_000
"""Answers between who reads and the screen."""


class _Terminated(BaseException):
    """SIGTERM."""


def watch(
    reason: Annotated[
        list[str] | None, typer.Option("--reason", help="with this code among the reasons; may be repeated")
    ] = None,
    country: Annotated[
        list[str] | None,
        typer.Option(
            "--country", metavar="CC", help="of clients ever located there; `none`: nowhere yet; may be repeated"
        ),
    ] = None,
    client: Annotated[list[str] | None, typer.Option("--client", help="of this client; may be repeated")] = None,
    since: Since = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="everything there is first")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the answers as events, one a line")] = False,
    url: Annotated[
        str | None, typer.Option("--url", help="of an embedded gate, instead of GATE61_URL or GATE61_KAFKA")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="holds a key that may ask, instead of GATE61_KEY_FILE")
    ] = None,
    light: Annotated[bool, typer.Option("--light", help="the screen in light colours")] = False,
) -> None:
    """Watch offers that are held or blocked until Ctrl-C: on a terminal the queue, else a line for each.

    Lines are of answers from now on; the screen begins with the last day's. An answer that replaces one shown here is
    shown whatever the filter. Trouble is said and waited out.
    """
    from streams.watch.sources import Start

    found = ["choose --since or --from-start"] if since and from_start else []
    wanted = Wanted(_codes(reason, found), _countries(country, found), frozenset(client or ()))
    begin = since_or_none(since, found)
    gate = _gate(url, key_file, found)
    if len(found) == 1:
        raise refuse(found[0])
    refuse_all(found)
    screen = _is_screen(as_json)
    if screen and not from_start and begin is None:
        begin = now() - DAY
    open_, source, name = _source(gate, Start(begin, from_start))
    signal.signal(signal.SIGTERM, _terminated)
    try:
        with kafka_or_refuse(gate.topics) if gate.topics else _gate_or_told():
            if screen:
                _on_screen(open_, source, wanted, light)
            else:
                _in_lines(open_, Json(name) if as_json else Lines(name), Watched(wanted))
    except (KeyboardInterrupt, _Terminated):
        pass


def _source(gate: "Gate", start: "Start") -> "tuple[Open, str, str]":
    """How to read it, where that is, and who answers there."""
    from streams.watch.sources import GateSource, TopicSource

    if gate.topics is not None:
        kafka, topic = gate.topics.kafka, topics(gate.topics.prefix).flagged.name
        return lambda tell: TopicSource(kafka, topic, start, tell), topic, "Kafka"
    address = gate.url or ""
    return lambda tell: GateSource(address, gate.key, start, tell), address, "the gate"


def _terminated(*_: object) -> None:
    raise _Terminated


def _codes(reasons: list[str] | None, found: list[str]) -> frozenset[str]:
    """Codes as they are written; a wrong one, which would silently show nothing, is added to `found`."""
    wanted = [r.upper() for r in reasons or ()]
    for code in wanted:
        if code not in DUTIES:
            near = difflib.get_close_matches(code, DUTIES, 3) or sorted(DUTIES)
            found.append(f"--reason: `{code}` is no code of the gate; there are {', '.join(near)}")
    return frozenset(wanted)


def _countries(countries: list[str] | None, found: list[str]) -> frozenset[str]:
    wanted = [c.upper() for c in countries or ()]
    for code in wanted:
        if code != NOWHERE and not is_country(code):
            found.append(f"--country: `{code}` is no country of ISO 3166-1; use two letters such as DE, or none")
    return frozenset(wanted)


def _gate(url: str | None, key_file: Path | None, found: list[str]) -> "Gate":
    """Which gate: an address given here counts more than what the environment names. What is wrong is added to `found`."""
    from streams.feed.opening import Gate, gate_of

    environment = dict(os.environ)
    if url is not None:
        environment["GATE61_URL"] = url
        environment.pop("GATE61_KAFKA", None)
    if key_file is not None:
        environment["GATE61_KEY_FILE"] = str(key_file)
    try:
        return gate_of(environment)
    except SettingsRefused as refused:
        found += refused.complaints
        return Gate()


def _is_screen(as_json: bool) -> bool:
    """Whether somebody sits there: the screen reads keys, and draws itself by standard error."""
    there = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    return there and not as_json and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


@contextmanager
def _gate_or_told() -> Iterator[None]:
    """An embedded gate that cannot be read ends the program with exit code 1 and what to do."""
    from streams.kafka.reading import NotRead

    try:
        yield
    except NotRead as error:
        raise refuse(str(error), 1) from None


def _in_lines(open_: "Open", view: Lines, watched: Watched) -> None:
    from streams.watch.following import to_lines

    to_lines(open_, view, watched)


def _on_screen(open_: "Open", source: str, wanted: Wanted, light: bool) -> None:
    from streams.watch.following import Follower
    from streams.watch.screen import WatchScreen
    from streams.watch.sources import News

    news: Queue[News] = Queue(ON_THE_WAY)
    screen = WatchScreen(source, wanted, news, now, light)
    follower = Follower(open_, news)

    def end(*_: object) -> None:
        screen.ended = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    follower.start()
    try:
        screen.run()
    finally:
        follower.stop()
    if screen.failed is not None:
        raise screen.failed
