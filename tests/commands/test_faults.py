"""A mistake of gate61's own is told apart from trouble of the world's, and nobody's reference stands in a log for it."""

from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from redis.exceptions import ConnectionError as NoRedis

from streams.border.wire import instant_of
from streams.faults import cause, fault
from streams.kafka.topics import topics


def _raised(work: Callable[..., Any], *given: Any) -> BaseException:
    with pytest.raises(Exception) as found:
        work(*given)
    return found.value


def test_a_mistake_is_named_by_kind_and_place_alone() -> None:
    """Its text may be what a client is called."""
    said = fault(_raised(instant_of, "anna"))
    assert said == "TypeError in streams/border/wire.py (instant_of), a mistake of gate61's own"
    assert fault(_raised(topics("").__getattribute__, "anna")) == "AttributeError, a mistake"
    assert fault(KeyError("anna")) == cause(KeyError("anna")) == "KeyError, a mistake"


@pytest.mark.parametrize(
    "error", [KafkaConnectionError("no"), NoRedis("no"), OSError("no"), TimeoutError(), MemoryError()]
)
def test_trouble_of_the_world_is_none(error: BaseException) -> None:
    """It is waited out."""
    assert fault(error) == "" and cause(error) == type(error).__name__
