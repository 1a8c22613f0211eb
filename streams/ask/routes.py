"""The two routes of the synchronous question, over any reader."""

import asyncio
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from streams.ask.check import QuestionRefused, answer_to, question, told
from streams.ask.lawful import may_send
from streams.ask.reader import Judge, Reader, Seen, Unreadable
from streams.web.access import Access
from streams.web.clock import Clock
from streams.web.metrics import Metrics
from streams.web.problems import Problem, unanswered
from streams.web.requests import body_of
from streams.wire import SIZE_LIMIT

T = TypeVar("T")
ClientRef = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:@/-]{1,128}$")]
READY_SECONDS = 2.0
_JSON = "application/json"


def ask_routes(reader: Reader, access: Access, metrics: Metrics, clock: Clock, budget: float) -> APIRouter:
    """`budget` is how many seconds a question may take; then it is not answered, and nothing may be sent."""
    router = APIRouter(dependencies=[Depends(access.needs("ask"))])

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

    @router.post("/v1/check", summary="May this be sent at that time? Changes nothing.")
    async def check(request: Request) -> Response:
        body = await body_of(request, SIZE_LIMIT)
        now = clock()
        try:
            offer = question(body, now)
        except QuestionRefused as refused:
            raise Problem(422, str(refused), reason=refused.reason, may_send=False) from None

        def judge(seen: Seen) -> dict[str, Any] | None:
            answer = answer_to(offer, seen)
            return None if answer is None else told(answer, seen, now)

        answer = await asked(offer.client, judge)
        metrics.checked(answer["verdict"], answer["leading"])
        return Response(msgspec.json.encode(answer), media_type=_JSON)

    @router.get("/v1/clients/{client:path}/may-send", summary="What may be offered to this client now, until when.")
    async def lawful(client: ClientRef) -> Response:
        answer = await asked(client, partial(may_send, client, clock()))
        return Response(msgspec.json.encode(answer), media_type=_JSON)

    return router


def probes(reader: Reader) -> APIRouter:
    """Whether the process is alive, and whether it can answer; open to all, they give nothing away."""
    router = APIRouter()

    @router.get("/livez", summary="Whether the process is alive.")
    async def livez() -> Response:
        return Response(b'{"alive":true}', media_type=_JSON)

    @router.get("/readyz", summary="Whether questions are answered, and events taken where they are.")
    async def readyz() -> Response:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await reader.ready()
        except TimeoutError:
            raise Problem(503, f"the state could not be read within {READY_SECONDS:g} s", ready=False) from None
        except Unreadable as trouble:
            raise Problem(503, str(trouble), ready=False) from None
        return Response(b'{"ready":true}', media_type=_JSON)

    return router
