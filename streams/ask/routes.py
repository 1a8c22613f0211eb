"""The routes of the synchronous question, over any reader."""

import asyncio
import contextlib
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from gate.facts import IDENT_PATTERN
from streams.ask.budget import Budget
from streams.ask.check import QuestionRefused, answer_to, question
from streams.ask.check import told as told_of
from streams.ask.lawful import may_send
from streams.ask.reader import Judge, Reader, Seen, Unreadable
from streams.ask.suppress import BODY_LIMIT, Sorted, judge_of, send_of
from streams.border.wire import SIZE_LIMIT
from streams.web.access import Access
from streams.web.clock import Clock
from streams.web.metrics import Metrics
from streams.web.problems import Problem, unanswered
from streams.web.requests import Room, body_of

T = TypeVar("T")
ClientRef = Annotated[str, Path(pattern=f"^{IDENT_PATTERN}$")]
READY_SECONDS = 2.0
LISTS_AT_ONCE = 4
"""Others wait, within their budget."""
_JSON = "application/json"


def ask_routes(reader: Reader, access: Access, metrics: Metrics, clock: Clock, allowed: Budget) -> APIRouter:
    """Everything that is asked and changes nothing."""
    router = APIRouter(dependencies=[Depends(access.needs("ask"))])
    room, bodies = asyncio.Semaphore(LISTS_AT_ONCE), Room()
    budget = allowed.one

    async def asked(client: str, judge: Judge[T]) -> T:
        try:
            async with asyncio.timeout(budget):
                return await reader.ask(client, judge)
        except TimeoutError:
            metrics.unanswered()
            raise unanswered(f"the state could not be read within {budget:g} s") from None
        except Unreadable as trouble:
            metrics.unanswered()
            raise unanswered(str(trouble)) from None

    @router.post("/v1/check")
    async def check(request: Request) -> Response:
        """May this be sent at that time? Changes nothing."""
        body = await body_of(request, SIZE_LIMIT)
        now = clock()
        try:
            offer = question(body, now)
        except QuestionRefused as refused:
            raise Problem(422, str(refused), reason=refused.reason, may_send=False) from None

        def judge(seen: Seen) -> dict[str, Any] | None:
            answer = answer_to(offer, seen)
            return None if answer is None else told_of(answer, seen, now)

        answer = await asked(offer.client, judge)
        metrics.checked(answer["verdict"], answer["leading"])
        return Response(msgspec.json.encode(answer), media_type=_JSON)

    async def listed(body: bytes) -> Response:
        now = clock()
        try:
            send = send_of(body, now)
        except QuestionRefused as refused:
            raise Problem(422, str(refused), reason=refused.reason, may_send=[]) from None
        found = Sorted(send)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(allowed.many), room:
                async for client, judgement in reader.ask_each(list(send.offers), judge_of(send)):
                    found.take(client, judgement)
        for answer in found.answers:
            metrics.checked(answer.outcome.verdict.word, answer.outcome.leading)
        metrics.unanswered(len(found.unanswered))
        told = found.told(now, f"the state could not be read within {allowed.many:g} s")
        return Response(msgspec.json.encode(told), media_type=_JSON)

    @router.post("/v1/suppress")
    async def suppress(request: Request) -> Response:
        """Who of these may be sent this, and who is to be left out? Changes nothing."""
        async with bodies.body_of(request, BODY_LIMIT) as body:
            return await listed(body)

    @router.get("/v1/clients/{client:path}/may-send")
    async def lawful(client: ClientRef) -> Response:
        """What may be offered to this client now, until when."""
        answer = await asked(client, partial(may_send, client, clock()))
        return Response(msgspec.json.encode(answer), media_type=_JSON)

    return router


def probes(reader: Reader, access: Access) -> APIRouter:
    """Whether the process is alive, and whether it can answer; open to all. Why not is told to who has a key."""
    router = APIRouter()

    @router.get("/livez")
    async def livez() -> Response:
        """Whether the process is alive."""
        return Response(b'{"alive":true}', media_type=_JSON)

    @router.get("/readyz")
    async def readyz(request: Request) -> Response:
        """Whether questions are answered, and events taken where they are."""
        trouble = await _trouble(reader)
        if trouble and not await access.may_know(request):
            trouble = "show a key to be told why"
        if trouble:
            raise Problem(503, trouble, ready=False)
        return Response(b'{"ready":true}', media_type=_JSON)

    return router


async def _trouble(reader: Reader) -> str:
    """Why it is not ready; empty if it is."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await reader.ready()
    except TimeoutError:
        return f"the state could not be read within {READY_SECONDS:g} s"
    except Unreadable as trouble:
        return str(trouble)
    return ""
