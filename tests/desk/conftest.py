"""What most stories of the desk begin with; those that need another desk have a fixture of that name themselves."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.desk.chromium import chromium
from tests.desk.desks import Office, office


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Real Chromium."""
    with chromium() as opened:
        yield opened


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    """A desk on which one offer is held."""
    async with office(tmp_path) as opened:
        await opened.held_offer()
        yield opened
