"""Starting the desk: its store, its door, and a refusal wherever it would stand open."""

import os

import structlog
from sqlalchemy import URL, Engine
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from streams.desk.access import people as _people  # noqa: F401, their tables are made with the store's
from streams.desk.access import sessions as _sessions  # noqa: F401
from streams.desk.access.door import Door
from streams.desk.access.oidc import Oidc
from streams.desk.access.oidc_settings import OidcSettings, oidc_settings
from streams.desk.access.people import People
from streams.desk.access.sessions import Sessions
from streams.desk.app import desk_app
from streams.desk.desk import Desk
from streams.desk.live import STREAMS
from streams.desk.tables import STORE, made_anew, opened
from streams.feed import Feed, Sender, gate_of
from streams.settings import url_of
from streams.stores import trouble
from streams.web.access import is_loopback
from streams.web.clock import Clock, now
from streams.web.listening import listen, place

_log = structlog.get_logger("gate61.desk")


class DeskRefused(Exception):
    """The desk does not start, with what to do."""


def store_at(address: str | URL, make: bool = True) -> Engine:
    """The desk's store; unless it may `make` one, DeskRefused where there is none."""
    try:
        return opened(address, make)
    except (ArgumentError, ModuleNotFoundError, OSError, SQLAlchemyError) as error:
        raise DeskRefused(trouble(address, error, STORE)) from None


def run_desk(address: str | URL, host: str, port: int, url: str | None) -> None:
    """Serve the gate that the environment names until told to stop; `address` is of the store, `url` for browsers.

    Raises `SettingsRefused` with all that is wrong with settings, before anything is opened.
    """
    found: list[str] = []
    name, provider = _reached(host, port, url, found)
    gate = gate_of(publishes=True, also=found)
    engine = store_at(address)
    desk = desk_at(gate.feed(), gate.sender(), engine, now, secure=url is not None)
    if provider is None and not desk.people.all():
        raise DeskRefused("nobody may sign in yet; add people first: gate61 desk users add ID --role reviewer")
    oidc = None if provider is None else Oidc(provider, engine, now)
    app = desk_app(desk, name, oidc)
    listen(app, host, port, "the desk", 2 * STREAMS, proxied=url is not None, stopping=desk.live.end)


def desk_at(feed: Feed, sender: Sender, engine: Engine, clock: Clock, secure: bool = False) -> Desk:
    """A desk over a gate's logs and the way to it."""
    if made_anew(engine):
        _log.warning(
            "another version of gate61 made the store: what it holds of the logs is read again, what people did stays"
        )
    return Desk(engine, feed, sender, People(engine), Door(Sessions(engine), clock, secure), clock)


def _reached(host: str, port: int, url: str | None, found: list[str]) -> tuple[str | None, OidcSettings | None]:
    """The name by which browsers know the desk, None for this machine's own; and the provider that lets people in."""
    name = _name_of(host, url, found)
    where = None if found else url or f"http://{place(host, port)}"
    provider = oidc_settings(os.environ, where, found)
    if provider is not None and url is None and port == 0:
        found.append(
            "GATE61_DESK_OIDC_ISSUER is set, and the provider must know where to send browsers back to; give a --port"
        )
    return name, provider


def _name_of(host: str, url: str | None, found: list[str]) -> str | None:
    """What is wrong with it, as where the desk could be listened to, is added to `found`."""
    if url is None:
        if not is_loopback(host):
            found.append(
                f"`{host}` can be reached from elsewhere: put something before the desk that speaks https, and say how "
                "browsers reach it in GATE61_DESK_URL, such as https://desk.firm.example"
            )
        return None
    parts = url_of(url)
    if parts is None or parts.scheme != "https" or parts.path not in ("", "/"):
        found.append(f"GATE61_DESK_URL is `{url}`; it is https://NAME, without a path")
        return None
    return parts.hostname
