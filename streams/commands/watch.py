"""`gate61 watch`: flagged offers, live."""

import difflib
import logging
import os
import re
import select
import signal
import sys
from threading import Timer
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gate.law import DUTIES
from streams.commands.common import Since, console, kafka_or_refuse, refuse, settings_or_refuse, since_or_refuse
from streams.settings import Kafka
from streams.topics import topics
from streams.watch import NOWHERE, Wanted, Watched, read
from streams.watch_views import Json, Lines, Screen, View
from streams.web.clock import now

if TYPE_CHECKING:
    from streams.tail import Tail

_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 3.0
"""Until it is said that there is no connection."""
_FOR_EVER = 10.0**9
_COUNTRY = re.compile(r"[A-Z]{2}")


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
    from_start: Annotated[bool, typer.Option("--from-start", help="everything the topic holds first")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the answers as events, one a line")] = False,
) -> None:
    """Watch offers that are held or blocked, from now on, until Ctrl-C; a table on a terminal, else lines.

    An answer that replaces one shown here is shown whatever the filter. Kafka's trouble is said and waited out.
    """
    if since and from_start:
        raise refuse("choose --since or --from-start")
    settings = settings_or_refuse(redis=False)
    watched = Watched(Wanted(_codes(reason), _countries(country), frozenset(client or ())))
    start = since_or_refuse(since)
    topic = topics(settings.prefix).flagged.name
    view = _view(topic, as_json)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        with kafka_or_refuse(settings), view:
            _follow(settings.kafka, topic, view, watched, start, from_start)
    except (KeyboardInterrupt, _Terminated):
        pass


def _terminated(*_: object) -> None:
    raise _Terminated


def _codes(reasons: list[str] | None) -> frozenset[str]:
    """Codes as they are written; a wrong one would silently show nothing."""
    wanted = [r.upper() for r in reasons or ()]
    for code in wanted:
        if code not in DUTIES:
            near = difflib.get_close_matches(code, DUTIES, 3) or sorted(DUTIES)
            raise refuse(f"--reason: `{code}` is no code of the gate; there are {', '.join(near)}")
    return frozenset(wanted)


def _countries(countries: list[str] | None) -> frozenset[str]:
    wanted = [c.upper() for c in countries or ()]
    for code in wanted:
        if code != NOWHERE and not _COUNTRY.fullmatch(code):
            raise refuse(f"--country: `{code}` is no country; use two letters such as DE, or none")
    return frozenset(wanted)


def _view(topic: str, as_json: bool) -> View:
    page = console()
    if as_json:
        return Json()
    return Screen(page, f"flagged offers, {topic}") if page.is_terminal and not page.is_dumb_terminal else Lines()


def _follow(kafka: Kafka, topic: str, view: View, watched: Watched, since: int | None, from_start: bool) -> None:
    from streams.tail import Tail

    consumer = _connected(kafka, view)
    try:
        tail = Tail(consumer, topic, view.tell)
        tail.begin(since, from_start)
        while not _nobody_reads():
            _show(tail, topic, view, watched)
            view.tick(now())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # What is still held for it would fail again on leaving.
    finally:
        consumer.close(autocommit=False, timeout_ms=1_000)


def _show(tail: "Tail", topic: str, view: View, watched: Watched) -> None:
    for record in tail.poll(_POLL_SECONDS):
        flagged = read(record.value)
        if flagged is None:
            place = f"{record.partition}:{record.offset}"
            view.tell(f"record {place} of `{topic}` is no answer of the gate; see who else writes there")
        elif watched.take(flagged):
            view.show(flagged, record.value, now())


def _connected(kafka: Kafka, view: View) -> Any:
    """A consumer, however long Kafka takes to be there."""
    from streams.reading import reader

    logging.getLogger("kafka").addHandler(logging.NullHandler())
    where = ", ".join(kafka.servers)
    said: list[str] = []

    def impatient() -> None:
        said.append(f"no connection to Kafka at {where} yet; trying on. See that it runs, GATE61_KAFKA and its user")
        view.tell(said[0])
        view.tick(now())

    timer = Timer(_PATIENCE_SECONDS, impatient)
    timer.daemon = True
    timer.start()
    try:
        consumer = reader(kafka, _FOR_EVER)
    finally:
        timer.cancel()
    if said:
        view.tell(None)
    return consumer


def _nobody_reads() -> bool:
    """Whether the reader of a pipe has gone: with nothing to show, no writing would tell."""
    poller = select.poll()
    poller.register(sys.stdout.fileno(), 0)
    return bool(poller.poll(0))
