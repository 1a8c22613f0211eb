"""The desk behind its pages: follows the logs into its store, and knows how it is with them."""

import asyncio
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from streams.desk.access.door import Door
from streams.desk.access.people import People
from streams.desk.acts import Acts
from streams.desk.fold import fold
from streams.desk.live import Live
from streams.desk.tables import READ_TO, STORE
from streams.faults import cause
from streams.feed import Feed, FeedTrouble
from streams.feed.sending import Sender
from streams.stores import read_to, trouble
from streams.web.clock import Clock

WAIT_SECONDS: Final = 5.0
"""How long the logs may be silent before it is looked whether somebody wants the desk to stop."""
AGAIN_SECONDS: Final = 1.0
RESEND_SECONDS: Final = 30.0
_log = structlog.get_logger("gate61.desk")


class Desk:
    """One desk over one gate."""

    def __init__(self, engine: Engine, feed: Feed, sender: Sender, people: People, door: Door, clock: Clock) -> None:
        self.engine = engine
        self.feed = feed
        self.people = people
        self.door = door
        self.clock = clock
        self.acts = Acts(engine, sender)
        self.live = Live()
        self.trouble = ""
        """What keeps the desk from reading on, for people; empty if nothing does."""
        self._sender = sender

    async def follow(self) -> None:
        """Read the logs into the store until cancelled. Trouble is said, and waited out; nothing is passed over."""
        while True:
            try:
                await self.begin()
                while True:
                    await self.round(WAIT_SECONDS)
            except Exception as error:
                # Also what nobody foresaw: a desk that stands still must not look like one where nothing happens.
                self._suffer(self._why(error))
                await asyncio.sleep(AGAIN_SECONDS)

    async def begin(self) -> None:
        """Go on where the store stands."""
        await self.feed.start(*await asyncio.to_thread(read_to, self.engine, READ_TO))

    async def round(self, seconds: float) -> None:
        """Read what comes next, waiting so long for it, into the store."""
        told = await self.feed.next(seconds)
        if told:
            await asyncio.to_thread(fold, self.engine, told)
        if self.trouble:
            self.trouble = ""
            _log.info("the logs are read again")
            self.live.ring()
        elif told:
            self.live.ring()

    def _why(self, error: Exception) -> str:
        """What keeps the desk from reading on, without what the logs say about clients."""
        match error:
            case FeedTrouble():
                return str(error)
            case SQLAlchemyError():
                return trouble(self.engine.url, error, STORE)
            case _:
                return f"the logs hold what cannot be read ({cause(error)}); see who else writes there"

    def _suffer(self, trouble: str) -> None:
        if self.trouble != trouble:
            _log.warning("the logs are not read", cause=trouble)
            self.trouble = trouble
            self.live.ring()

    async def resend(self) -> None:
        """Publish again what may not have arrived, at the start and from time to time, until cancelled."""
        while True:
            try:
                for id in await asyncio.to_thread(self.acts.again):
                    await self.acts.send(id)
                    self.live.ring()
            except Exception as error:
                _log.warning("acts cannot be sent again now; it is tried again", cause=cause(error))
            await asyncio.sleep(RESEND_SECONDS)

    async def close(self) -> None:
        """Let go of the gate and the store."""
        await self.feed.close()
        await self._sender.close()
        self.engine.dispose()
