"""How a service over HTTP begins: with its own routes, and nothing that the framework adds by itself."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI


def bare(lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> FastAPI:
    """An application without routes; `lifespan` surrounds its serving.

    No document lists its routes to whoever has no key, and a path that is none leads to no other one: where to, a
    redirect takes from the request's own word for what host it was sent to.
    """
    return FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=lifespan)
