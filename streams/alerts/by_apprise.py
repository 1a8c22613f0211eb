"""Sends by apprise in a process of its own: one that hangs is ended, and what it connects to is checked.

Apprise resolves names itself and its plugins post as they like. So its process refuses, at the socket, every address that
is not public, unless its host is allowed by name; proxies of the environment are not used, and redirects are not followed.
The address, which holds secrets, comes by standard input, never by arguments.
"""

import asyncio
import json
import logging
import os
import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from streams.alerts.addresses import AddressRefused, refuse_any

SECONDS: Final = 20.0
STARTING_SECONDS: Final = 10.0
"""For Python and apprise to be there."""
_STATUS: Final = re.compile(r"error[ =]+([0-9]{3})\b")


async def send(
    url: str, title: str, text: str, allowed: frozenset[str], seconds: float = SECONDS + STARTING_SECONDS
) -> tuple[bool, str]:
    """Whether it arrived, and what is said of it."""
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "streams.alerts.by_apprise",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    told = json.dumps({"url": url, "title": title, "text": text, "allowed": sorted(allowed)})
    try:
        async with asyncio.timeout(seconds):
            out, _ = await process.communicate(told.encode())
        answer = json.loads(out.splitlines()[-1])
        return bool(answer["arrived"]), str(answer["said"])
    except TimeoutError:
        return False, f"apprise was not done after {seconds:g} s and was ended"
    except (ValueError, LookupError, TypeError):
        return False, "apprise's process ended without an answer"
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def complaint(url: str) -> str | None:
    """What is wrong with an address, without a part of it; None if apprise can read it."""
    from apprise import Apprise

    logging.getLogger("apprise").addHandler(logging.NullHandler())
    logging.getLogger("apprise").propagate = False
    there = Apprise()
    if not there.add(url) or len(there) != 1:
        return "apprise cannot read its address; it is one of apprise's, such as slack:// or mailtos://"
    return None


class _Guard:
    """What stands between the plugins and the network."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._by_name: set[str] = set()
        self.refused: list[str] = []

    def guard(self) -> None:
        """From now on every address is looked at twice: where a name leads to it, and where it is connected to."""
        resolve = socket.getaddrinfo

        def getaddrinfo(host: Any, *more: Any, **named: Any) -> Any:
            found = resolve(host, *more, **named)
            name = host.decode() if isinstance(host, bytes) else str(host or "")
            addresses = [str(each[4][0]) for each in found]
            self._look(name, addresses)
            if name.lower().rstrip(".") in self._allowed:
                self._by_name.update(addresses)
            return found

        socket.getaddrinfo = getaddrinfo
        for name in ("connect", "connect_ex", "sendto"):
            setattr(socket.socket, name, self._looking(getattr(socket.socket, name)))

    def _looking(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def looked(here: socket.socket, *given: Any) -> Any:
            if here.family not in (socket.AF_INET, socket.AF_INET6):
                self.refused.append("something on this machine")
                raise OSError("only receivers on the network are spoken to")
            *before, place = given  # Of `sendto` the address is the last; of the others the only one.
            host = str(place[0])
            if not _is_address(host):
                place = socket.getaddrinfo(host, place[1], here.family, here.type)[0][4]
            elif host not in self._by_name:
                self._look(host, [host])
            return act(here, *before, place)

        return looked

    def _look(self, host: str, addresses: list[str]) -> None:
        try:
            refuse_any(host, addresses, self._allowed)
        except AddressRefused as refused:
            self.refused.append(str(refused))
            raise OSError(str(refused)) from None


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, host.partition("%")[0])
            return True
    return False


class _Heard(logging.Handler):
    """Of what apprise logs, the status of HTTP: all else may hold the address."""

    def __init__(self) -> None:
        super().__init__()
        self.status = ""

    def emit(self, record: logging.LogRecord) -> None:
        status = _STATUS.search(record.getMessage())
        self.status = status[1] if status else self.status


def notify(url: str, title: str, text: str, allowed: frozenset[str]) -> tuple[bool, str]:
    """In the process of its own."""
    from apprise import Apprise, AppriseAsset, NotifyFormat

    heard, guard = _Heard(), _Guard(allowed)
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    logger.propagate = False
    guard.guard()
    socket.setdefaulttimeout(SECONDS)
    there = Apprise(asset=AppriseAsset(app_id="gate61", http_redirects=False, async_mode=False))
    if not there.add(url):
        return False, "apprise cannot read the channel's address"
    arrived = bool(there.notify(body=text, title=title, body_format=NotifyFormat.TEXT))
    if arrived:
        return True, "arrived, says apprise"
    status = f" (status {heard.status})" if heard.status else ""
    return False, guard.refused[0] if guard.refused else f"apprise could not send it{status}"


def _main() -> None:
    told = json.load(sys.stdin)
    try:
        arrived, said = notify(told["url"], told["title"], told["text"], frozenset(told["allowed"]))
    except Exception as error:  # A plugin's error, whose text may hold the address.
        arrived, said = False, f"apprise failed ({type(error).__name__})"
    print(json.dumps({"arrived": arrived, "said": said}), flush=True)


if __name__ == "__main__":
    _main()
