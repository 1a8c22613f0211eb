"""The HTTP application of the embedded gate: events in, what came out to read on, and the synchronous question."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
import structlog
from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from gate.instants import moment
from state.journal import Kept, Out, Taken
from streams.ask.budget import Budget
from streams.ask.routes import ask_routes, probes
from streams.border.raw import field_of
from streams.faults import cause
from streams.serve.bodies import BODY_LIMIT, Arrival, arrivals
from streams.serve.intake import Change, Intake, OtherLog, Portion, Result
from streams.serve.metrics import Metrics
from streams.serve.reader import EmbeddedReader
from streams.web.access import Access
from streams.web.application import bare
from streams.web.clock import Clock, now
from streams.web.problems import Problem, say_problems
from streams.web.requests import Room

T = TypeVar("T")
Entry = TypeVar("Entry", Out, Taken, Kept)
Found = tuple[Sequence[T], int]
"""Of a log, and the number of its last entry."""
WAKE_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
After = Annotated[int, Query(ge=0, le=2**62)]
Mark = Annotated[str | None, Query(pattern="^[0-9a-f]{16}$")]
"""Of the entry whose number is `after`, as a page said it."""
Limit = Annotated[int, Query(ge=1, le=1_000)]
Wait = Annotated[float, Query(ge=0, le=60)]
_JSON = "application/json"
_NOTHING = "nothing was taken, send it again"
_OTHER = "another store, or an older copy of it, stands here now; put the right one back, or read from 0 again"
_log = structlog.get_logger("gate61.serve")


class _Bell:
    """Wakes whoever waits for something of one log."""

    def __init__(self) -> None:
        self.next = asyncio.Event()

    def ring(self) -> None:
        self.next.set()
        self.next = asyncio.Event()


class Service:
    """One gate as an application."""

    def __init__(self, intake: Intake, access: Access, clock: Clock = now, budget: Budget = Budget()) -> None:
        self._intake = intake
        self._access = access
        self._metrics = Metrics()
        self._reader = EmbeddedReader(intake)
        self._published, self._took = _Bell(), _Bell()
        self._over = False
        self._room = Room()
        self._turn = asyncio.Lock()
        """Of one request to be judged: a question waits for one portion at most, however many requests there are."""
        self.app = bare(self._lifespan)
        say_problems(self.app)
        self._metrics.measure(self.app)
        self.app.include_router(ask_routes(self._reader, access, self._metrics, clock, budget))
        self._routes()

    def end(self) -> None:
        """The gate stops: whoever waits for something has what there is, and streams end."""
        self._over = True
        self._published.ring()
        self._took.ring()

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        timer = asyncio.create_task(self._wake())
        yield
        timer.cancel()
        with suppress(asyncio.CancelledError):
            await timer
        self._intake.close()

    async def _wake(self) -> None:
        """Close what is due; and go on where nobody waits for a change of the register to be walked through."""
        walking = False
        while True:
            await asyncio.sleep(0 if walking else WAKE_SECONDS)
            walking = False
            try:
                if await self._do(self._intake.wake):
                    self._published.ring()
                walking = not self._intake.trouble and (await self._in_turn(self._intake.walk)).walking
            except Exception as error:
                _log.error("scopes could not be closed, or clients not judged; it is tried again", cause=cause(error))

    async def _do(self, work: Callable[[], T], left: str = _NOTHING) -> T:
        """Have the gate's thread do something; its store failing is no failure of the request.

        `left` says then what is there of the request, and what to do.
        """
        try:
            return await asyncio.wrap_future(self._intake.run(work))
        except OtherLog as other:
            raise Problem(409, f"{other}: {_OTHER}") from None
        except sqlite3.Error as error:
            detail = f"the store cannot be used ({error}); {left}. Check its disk"
            raise Problem(503, detail, {"Retry-After": "5"}) from None

    def _routes(self) -> None:
        app, needs = self.app, self._access.needs
        reading, writing = [Depends(needs("ask"))], [Depends(needs("publish"))]
        anybody = [Depends(needs("ask", "publish"))]
        app.post("/v1/events", dependencies=writing)(self._events)
        app.get("/v1/out", dependencies=reading)(self._out)
        app.get("/v1/taken", dependencies=reading)(self._taken)
        app.get("/v1/rejected", dependencies=reading)(self._rejected)
        app.include_router(probes(self._reader, self._access))
        app.get("/metrics", dependencies=anybody)(self._metrics.page)

    async def _events(self, request: Request) -> Response:
        """What is said of an event lasts before the answer is given."""
        async with self._room.body_of(request, BODY_LIMIT) as body:
            results = await self._judged(arrivals(request, body))
        rejected = sum(r.status == "rejected" for r in results)
        status = 200 if not rejected else 422 if rejected == len(results) else 207
        return Response(msgspec.json.encode({"results": [_result(r) for r in results]}), status, media_type=_JSON)

    async def _judged(self, found: list[Arrival]) -> list[Result]:
        """What became of each event of a request; others have their turn between two portions of it."""
        results: list[Result] = []
        while (done := len(results)) < len(found):
            work = partial(self._intake.take, found[done:], goes_on=done > 0)
            portion = await self._in_turn(work, _left(results, len(found)))
            results += portion.results
            if portion.change is not None:
                await self._walked(portion.change, _left(results, len(found)))
                if portion.own:
                    results[-1] = msgspec.structs.replace(results[-1], out=(*results[-1].out, *portion.change.out))
        return results

    async def _walked(self, change: Change, left: str) -> None:
        """Have all to whom a change of the register reaches back judged again."""
        walking = True
        while walking and not change.done:
            walking = (await self._in_turn(self._intake.walk, left)).walking

    async def _in_turn(self, work: Callable[[], Portion], left: str = _NOTHING) -> Portion:
        """Have a portion done; then count what lasts from now on, and wake whoever waits for it."""
        async with self._turn:
            portion = await self._do(work, left)
        self._metrics.did(portion)
        if portion.told or any(result.out and not result.again for result in portion.results):
            self._published.ring()
        if any(result.status == "taken" for result in portion.results):
            self._took.ring()
        return portion

    async def _out(
        self,
        request: Request,
        after: After = 0,
        limit: Limit = 100,
        wait: Wait = 0,
        mark: Mark = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        """As JSON, waiting up to `wait` seconds for something; or as server-sent events, without end."""
        if "text/event-stream" in request.headers.get("accept", ""):
            if last_event_id and last_event_id.isascii() and last_event_id.isdigit():
                after, mark = min(int(last_event_id[:19]), 2**62), None
            await self._do(lambda: self._intake.must_stand("out", after, mark))
            return StreamingResponse(self._stream(request, after), media_type="text/event-stream")
        found = await self._patiently(lambda: self._intake.out(after, limit, mark), self._published, wait)
        return _page("events", found, _out, after, mark)

    async def _patiently(self, look: Callable[[], Found[T]], bell: _Bell, seconds: float) -> Found[T]:
        """What there is, or after something came within that time; where the gate stops, nothing more is waited for."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            rung = bell.next
            found = await self._do(look)
            left = until - asyncio.get_running_loop().time()
            if found[0] or left <= 0 or self._over:
                return found
            with suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), left)

    async def _taken(self, after: After = 0, limit: Limit = 100, wait: Wait = 0, mark: Mark = None) -> Response:
        """Waits up to `wait` seconds for something to be taken."""
        found = await self._patiently(lambda: self._intake.taken(after, limit, mark), self._took, wait)
        return _page("events", found, _taken, after, mark)

    async def _stream(self, request: Request, after: int) -> AsyncIterator[bytes]:
        """A key that is revoked ends the stream at the latest with the next heartbeat."""
        allowed = self._access.needs("ask")
        with suppress(Problem):
            while not self._over:
                await allowed(request)
                rung = self._published.next
                outs, _ = await self._do(lambda after=after: self._intake.out(after, 100))  # type: ignore[misc]
                for out in outs:
                    yield b"id: %d\ndata: %s\n\n" % (out.number, out.data)
                    after = out.number
                if outs:
                    continue
                try:
                    await asyncio.wait_for(rung.wait(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield b": nothing new\n\n"

    async def _rejected(self, after: After = 0, limit: Limit = 100, mark: Mark = None) -> Response:
        found = await self._do(lambda: self._intake.rejected(after, limit, mark))
        return _page("rejected", found, _kept, after, mark)


def _left(done: list[Result], events: int) -> str:
    """What is there of a request of so many events that could not be judged further, and what to do."""
    if not done:
        return _NOTHING
    taken = sum(result.status != "rejected" for result in done)
    return (
        f"of {events} events {taken} were taken and {len(done) - taken} rejected, the others were not looked at; send all "
        "of them again, what was taken counts once"
    )


def _page(
    name: str, found: Found[Entry], tell: Callable[[Entry], dict[str, Any]], after: int, mark: str | None
) -> Response:
    """Entries of a log after a number, where it ended when they were looked for, and from where to go on.

    `mark`, given with `after`, has it noticed if another store is read then.
    """
    entries, last = found
    if entries:
        after, mark = entries[-1].number, entries[-1].mark
    body = {name: [tell(each) for each in entries], "next_after": after, "last": last}
    return Response(msgspec.json.encode(body | ({} if mark is None else {"mark": mark})), media_type=_JSON)


def _out(out: Out) -> dict[str, Any]:
    return {"number": out.number, "event": msgspec.Raw(out.data)}


def _taken(taken: Taken) -> dict[str, Any]:
    return {"number": taken.number, "recorded_at": moment(taken.at), "event": msgspec.Raw(taken.data)}


def _result(result: Result) -> dict[str, Any]:
    recorded = None if result.recorded is None else moment(result.recorded)
    told: dict[str, Any] = {"status": result.status, "source": result.source, "id": result.id, "recorded_at": recorded}
    told |= {"reason": result.reason, "message": result.message, "rejected": result.number}
    return {k: v for k, v in told.items() if v is not None} | {"out": [_out(out) for out in result.out]}


def _kept(kept: Kept) -> dict[str, Any]:
    told: dict[str, Any] = {
        "number": kept.number,
        "received_at": moment(kept.at),
        "times": kept.times,
        "reason": kept.reason,
    }
    told |= {"message": kept.message, "source": kept.source, "id": kept.id}
    told["headers"] = None if kept.headers is None else msgspec.Raw(kept.headers.encode())
    return {k: v for k, v in told.items() if v is not None} | field_of("raw", kept.raw)
