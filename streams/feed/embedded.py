"""The embedded gate as a source: its three logs over HTTP, read on by number."""

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import httpx
import msgspec

from gate.facts import Instant
from streams.feed.events import kind_of
from streams.feed.told import FeedTrouble, SourceHealth, Told
from streams.keys import bearer
from streams.wire import instant

AT_ONCE: Final = 500
SECONDS: Final = 10.0
"""How long the gate may take to answer, beside what it is asked to wait."""
OTHER_STORE: Final = (
    "another store than was read so far, or an older copy of it: what it says now would be passed over. Put the right "
    "store back (--state, GATE61_STATE), or begin anew with another store of one's own (--store; alerts: --since)"
)
_PATHS: Final = {"taken": "/v1/taken", "out": "/v1/out", "rejected": "/v1/rejected"}


class _Numbered(msgspec.Struct):
    number: int
    event: msgspec.Raw
    recorded_at: str | None = None


class _Kept(msgspec.Struct):
    number: int
    received_at: str
    reason: str
    message: str
    source: str | None = None
    id: str | None = None
    raw: str | None = None
    raw_base64: str | None = None


class _Page(msgspec.Struct, kw_only=True):
    next_after: int = 0
    last: int = 0

    @property
    def more(self) -> bool:
        """Whether the log goes on behind it."""
        return self.next_after < self.last


class _Events(_Page):
    events: list[_Numbered]


class _Rejects(_Page):
    rejected: list[_Kept]


P = TypeVar("P", bound=_Page)


class EmbeddedFeed:
    """A `Feed` over one embedded gate."""

    def __init__(self, url: str, key: str | None = None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, headers=bearer(key), transport=transport, timeout=SECONDS)
        self._after = dict.fromkeys(_PATHS, 0)
        self._marks: dict[str, str] = {}
        """By log, of what was read last."""
        self._last: Instant | None = None

    async def start(self, positions: Mapping[str, int], marks: Mapping[str, str] = {}) -> None:
        """See `Feed`."""
        self._after = {log: positions.get(log, 1) - 1 for log in _PATHS}
        self._marks = dict(marks)

    async def next(self, seconds: float) -> Sequence[Told]:
        """See `Feed`; what came in stands before what was said of it."""
        found, _ = await self._found()
        if not found and seconds > 0:
            await self._page("taken", _Events, wait=seconds)
            found, _ = await self._found()
        for told in found:
            self._after[told.log], self._marks[told.log] = told.offset, told.mark
            self._last = max(self._last or told.at, told.at)
        return found

    async def _found(self) -> tuple[list[Told], bool]:
        """A page of each log, and whether there is more."""
        # What came out is asked first: all that it follows from has come in by then.
        out = await self._page("out", _Events)
        rejects = await self._page("rejected", _Rejects)
        taken = await self._page("taken", _Events)
        told = [_taken(e) for e in taken.events]
        told += [_out(o) for o in out.events]
        told += [_rejected(k) for k in rejects.rejected]
        return told, out.more or rejects.more or taken.more

    async def _page(self, log: str, kind: type[P], wait: float = 0.0) -> P:
        asked: dict[str, Any] = {"after": self._after[log], "limit": AT_ONCE}
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
        if page.last < self._after[log]:  # A gate of before does not say so itself.
            raise FeedTrouble(f"the gate at {self._url} has {OTHER_STORE}")
        return page

    async def health(self) -> Sequence[SourceHealth]:
        """See `Feed`; of each log a page at most is counted as not read yet."""
        try:
            unread, more = await self._found()
        except FeedTrouble as trouble:
            return [SourceHealth("the embedded gate", False, 0, self._last, str(trouble))]
        count = len(unread)
        how = f"{count}{' or more' if more else ''} events are not read yet" if count else "is read to its end"
        return [SourceHealth("the embedded gate", True, count, self._last, f"answers, and {how}")]

    async def close(self) -> None:
        """See `Feed`."""
        await self._http.aclose()


def _event(raw: msgspec.Raw) -> dict[str, Any]:
    """What stands in a log; a gate of before took numbers that msgspec does not read, which stand as text then."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.MsgspecError:
        read: dict[str, Any] = json.loads(bytes(raw), parse_int=str)
        return read


def _out(numbered: _Numbered) -> Told:
    event = _event(numbered.event)
    kind = kind_of(event)
    assert kind is not None, "an embedded gate says only what the contract names"
    return Told("out", numbered.number, kind, instant(event["time"]), event, bytes(numbered.event))


def _taken(numbered: _Numbered) -> Told:
    event = _event(numbered.event)
    kind = kind_of(event)
    assert kind is not None and numbered.recorded_at is not None, "what was taken is one of the contract's events"
    return Told("taken", numbered.number, kind, instant(numbered.recorded_at), event, bytes(numbered.event))


def _rejected(kept: _Kept) -> Told:
    data = kept.raw.encode() if kept.raw is not None else b64decode(kept.raw_base64 or "")
    raw = data.decode(errors="backslashreplace")
    event = {"reason": kept.reason, "message": kept.message, "source": kept.source, "id": kept.id, "raw": raw}
    told = {name: value for name, value in event.items() if value is not None}
    return Told("rejected", kept.number, "rejected", instant(kept.received_at), told, data)


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("detail", ""))[:200]
    except (ValueError, AttributeError):
        return "no reason given"
