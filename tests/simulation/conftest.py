"""Simulations depend on their seed alone."""

import pytest

from streams.worker import partition


@pytest.fixture(autouse=True)
def no_batch_ends_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long judging takes is this machine's; tests say themselves where batches end."""
    monkeypatch.setattr(partition, "JUDGED_SECONDS", float("inf"))
