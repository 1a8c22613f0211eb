"""The embedded gate as a source: its three logs over HTTP, read on by number."""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import httpx
import msgspec

from gate.facts import Instant
from state.journal import mark_of
from streams.border.wire import instant
from streams.feed.events import kind_of
from streams.feed.told import FeedTrouble, SourceHealth, Told
from streams.keys import bearer

AT_ONCE: Final = 500
SECONDS: Final = 10.0
"""How long the gate may take to answer, beside what it is asked to wait."""
OTHER_STORE: Final = (
    "another store than was read so far, or an older copy of it: what is new in it would be missed. Put the right "
    "store back there (--state, GATE61_STATE), or begin anew here with another store (--store; alerts: --since)"
)
_UNREADABLE: Final = (KeyError, TypeError, ValueError, RecursionError, msgspec.MsgspecError)
_PATHS: Final = {"taken": "/v1/taken", "out": "/v1/out", "rejected": "/v1/rejected"}


class _Numbered(msgspec.Struct):
    number: int
    event: msgspec.Raw
    recorded_at: str | None = None

    @property
    def data(self) -> bytes:
        """As it stands in its log."""
        return bytes(self.event)


class _Kept(msgspec.Struct):
    number: int
    received_at: str
    reason: str
    message: str
    source: str | None = None
    id: str | None = None
    raw: str | None = None
    raw_base64: str | None = None

    @property
    def data(self) -> bytes:
        """As it came."""
        return self.raw.encode() if self.raw is not None else b64decode(self.raw_base64 or "")


class _Page(msgspec.Struct, kw_only=True):
    last: int = 0
    """Of the whole log."""


class _Events(_Page):
    events: list[_Numbered]


class _Rejects(_Page):
    rejected: list[_Kept]


_PAGES: Final[Mapping[str, type[_Page]]] = {"taken": _Events, "out": _Events, "rejected": _Rejects}
P = TypeVar("P", bound=_Page)
E = TypeVar("E", _Numbered, _Kept)


class EmbeddedFeed:
    """A `Feed` over one embedded gate."""

    def __init__(self, url: str, key: str | None = None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, headers=bearer(key), transport=transport, timeout=SECONDS)
        self._after = dict.fromkeys(_PATHS, 0)
        self._marks: dict[str, str] = {}
        """By log, of what was read last."""
        self._last: Instant | None = None

    async def start(
        self, positions: Mapping[str, int], marks: Mapping[str, str] = {}, times: Mapping[str, Instant] = {}
    ) -> None:
        """See `Feed`; the gate says of each event when it recorded it."""
        self._after = {log: positions.get(log, 1) - 1 for log in _PATHS}
        self._marks = dict(marks)

    async def ends(self) -> Mapping[str, int]:
        """See `Feed`."""
        return {log: (await self._page(log, kind, 1)).last + 1 for log, kind in _PAGES.items()}

    async def next(self, seconds: float) -> Sequence[Told]:
        """See `Feed`; what came in stands before what was said of it."""
        found, ends = await self._found()
        if not ends and seconds > 0:
            await self._page("taken", _Events, 1, wait=seconds)
            found, ends = await self._found()
        for log, (number, mark) in ends.items():
            self._after[log], self._marks[log] = number, mark
        for told in found:
            self._last = max(self._last or told.at, told.at)
        return found

    async def _found(self) -> tuple[list[Told], dict[str, tuple[int, str]]]:
        """A page of each log; by log that has more, the number and the mark of the last entry there."""
        # What came out is asked first: all that it follows from has come in by then.
        out = (await self._page("out", _Events)).events
        rejects = (await self._page("rejected", _Rejects)).rejected
        taken = (await self._page("taken", _Events)).events
        told = [*self._read("taken", taken, _taken), *self._read("out", out, _out)]
        told += self._read("rejected", rejects, _rejected)
        last: dict[str, Sequence[_Numbered | _Kept]] = {"taken": taken[-1:], "out": out[-1:], "rejected": rejects[-1:]}
        return told, {log: (entry.number, mark_of(entry.data)) for log, entries in last.items() for entry in entries}

    def _read(self, log: str, entries: Sequence[E], tell: Callable[[E], Told | None]) -> list[Told]:
        """The entries that are of the contract; what a newer gate says besides is passed over."""
        found = []
        for entry in entries:
            try:
                told = tell(entry)
            except _UNREADABLE as error:
                raise FeedTrouble(
                    f"number {entry.number} of {_PATHS[log]} at {self._url} cannot be read ({type(error).__name__}); see "
                    "that the gate there is of the same version, and what stands before it"
                ) from None
            if told is not None:
                found.append(told)
        return found

    async def _page(self, log: str, kind: type[P], limit: int | None = None, wait: float = 0.0) -> P:
        asked: dict[str, Any] = {"after": self._after[log], "limit": limit or AT_ONCE}
        if log in self._marks:
            asked["mark"] = self._marks[log]
        if wait:
            asked["wait"] = min(wait, 60)
        try:
            answer = await self._http.get(_PATHS[log], params=asked, timeout=SECONDS + wait)
        except httpx.HTTPError as error:
            raise FeedTrouble(
                f"the gate at {self._url} does not answer ({type(error).__name__}); see that it runs"
            ) from error
        if answer.status_code == 409:
            raise FeedTrouble(f"the gate at {self._url} has {OTHER_STORE}")
        if answer.status_code != 200:
            key = "; name the file of a key that may ask in GATE61_KEY_FILE" if answer.status_code in (401, 403) else ""
            raise FeedTrouble(f"the gate at {self._url} answers {answer.status_code}: {_detail(answer)}{key}")
        try:
            page = msgspec.json.decode(answer.content, type=kind)
        except (msgspec.MsgspecError, RecursionError):
            raise FeedTrouble(f"what answers at {self._url} is not the gate; see what stands before it") from None
        if page.last < self._after[log]:  # An older gate does not say so itself.
            raise FeedTrouble(f"the gate at {self._url} has {OTHER_STORE}")
        return page

    async def health(self) -> Sequence[SourceHealth]:
        """See `Feed`."""
        behind = 0
        try:
            for log, kind in _PAGES.items():
                behind += (await self._page(log, kind, 1)).last - self._after[log]
        except FeedTrouble as trouble:
            return [SourceHealth("the embedded gate", False, 0, self._last, str(trouble))]
        how = f"{behind} events are not read yet" if behind else "is read to its end"
        return [SourceHealth("the embedded gate", True, behind, self._last, f"answers, and {how}")]

    async def close(self) -> None:
        """See `Feed`."""
        await self._http.aclose()


def _event(raw: bytes) -> dict[str, Any]:
    """What stands in a log; an older gate took numbers that msgspec does not read, which stand as text then."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.MsgspecError:
        read = json.loads(raw, parse_int=str)
        if not isinstance(read, dict):
            raise TypeError("an event is an object") from None
        return read


def _out(numbered: _Numbered) -> Told | None:
    event = _event(numbered.data)
    kind = kind_of(event)
    return None if kind is None else Told("out", numbered.number, kind, instant(event["time"]), event, numbered.data)


def _taken(numbered: _Numbered) -> Told | None:
    event = _event(numbered.data)
    kind, at = kind_of(event), instant(numbered.recorded_at)
    return None if kind is None else Told("taken", numbered.number, kind, at, event, numbered.data)


def _rejected(kept: _Kept) -> Told:
    raw = kept.data.decode(errors="backslashreplace")
    event = {"reason": kept.reason, "message": kept.message, "source": kept.source, "id": kept.id, "raw": raw}
    told = {name: value for name, value in event.items() if value is not None}
    return Told("rejected", kept.number, "rejected", instant(kept.received_at), told, kept.data)


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("detail", ""))[:200]
    except (ValueError, AttributeError):
        return "no reason given"
