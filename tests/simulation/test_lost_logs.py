"""A log that was made anew, or lost its end and grew again, is found out though it reaches as far as the state does."""

import asyncio
import copy
import json
from collections.abc import Callable, Iterator, Sequence

import pytest

from streams.worker.contracts import Bounds
from streams.worker.outputs import BETWEEN, CONTENT_TYPE, DECISIONS
from tests.simulation.dense import dense
from tests.simulation.run import PARTITIONS, Process, plan, simulate
from tests.simulation.world import ACTIONS, POLICY, REGISTER, Record, Source, World
from tests.stories.telling import campaign, clean_client, located, offer

HOUR = 3_600_000_000


async def _goes_on(world: World) -> list[str]:
    """What states the loops of a new worker come to."""
    process = Process(world)
    for _ in range(300):
        await asyncio.sleep(0)
    states = [loop.state for loop in process.loops]
    await process.kill()
    return states


def _anew(log: list[Record], after: int) -> Iterator[Record]:
    """The same records, of which those from some offset on were appended an hour later."""
    for record in log:
        yield record._replace(timestamp=record.timestamp + (HOUR // 1000 if record.offset >= after else 0))


@pytest.mark.parametrize("topic", [ACTIONS, BETWEEN])
@pytest.mark.parametrize("lost", ["all", "the end"])
def test_nothing_is_decided_on_a_log_that_is_another(topic: int, lost: str) -> None:
    planned, _ = plan([*dense(2), *clean_client("fritz"), *clean_client("gerd")])
    world = asyncio.run(simulate(2, planned, 0.0))
    answers = {n: list(world.logs.get((DECISIONS, n), [])) for n in range(PARTITIONS)}
    for n in range(PARTITIONS):
        log = world.logs[topic, n]
        world.logs[topic, n] = [*_anew(log, 0 if lost == "all" else len(log) - 1)]
        more = offer(who=("anna", "ben")[n], id="one more")
        world.append(ACTIONS, n, more["subject"].encode(), b"{}")
    states = asyncio.run(_goes_on(world))
    assert all(state.startswith("stopped: LogLost") and "gate61 rebuild" in state for state in states), states
    assert answers == {n: world.logs.get((DECISIONS, n), []) for n in range(PARTITIONS)}


def _caught_up() -> World:
    """Everything is decided of both partitions, who have told each other things."""
    planned, _ = plan([*dense(2), *clean_client("fritz"), *clean_client("gerd")])
    return asyncio.run(simulate(2, planned, 0.0))


def _answers(world: World) -> list[list[Record]]:
    return [list(world.logs.get((DECISIONS, n), [])) for n in range(PARTITIONS)]


def _ask(world: World) -> None:
    """An offer to somebody of each partition."""
    for n, who in enumerate(("anna", "ben")):
        line = json.dumps(offer(who=who, id=f"more {n}")).encode()
        world.append(ACTIONS, n, who.encode(), line, (CONTENT_TYPE,))


async def _running(world: World, happens: Callable[[World], None]) -> tuple[list[str], bool]:
    """What states the loops of a worker come to that has caught up when that happens; and whether it ended."""
    process = Process(world)
    for _ in range(300):
        await asyncio.sleep(0)
    assert process.idle()
    happens(world)
    for _ in range(300):
        await asyncio.sleep(0)
    states, dead = [loop.state for loop in process.loops], process.dead
    for task in process.tasks:
        task.cancel()
    await asyncio.gather(*process.tasks, return_exceptions=True)
    return states, dead


def _loses(topic: int, numbers: Sequence[int], told_by: str) -> Callable[[World], None]:
    """The broker comes back without the end of a log, platforms write on at once, and it is as long as before, or longer."""

    def happens(world: World) -> None:
        epoch, heard = world.epoch, world.heard
        for n in numbers:
            lost = world.logs[topic, n][-1]
            world.lose_end(topic, n, 1)
            world.epoch = epoch + 2 if told_by == "the epoch" else epoch
            world.clock += 1_000
            world.append(topic, n, lost.key, lost.value, lost.headers)
            world.append(topic, n, lost.key, lost.value, lost.headers)
        world.heard = world.heard if told_by == "the silence" else heard
        _ask(world)

    return happens


@pytest.mark.parametrize("told_by", ["the epoch", "the silence"])
@pytest.mark.parametrize("topic", [ACTIONS, BETWEEN])
def test_a_running_worker_finds_out_that_a_log_lost_its_end_and_grew_past_its_place(topic: int, told_by: str) -> None:
    """Between the cut and its place stands what it never read: it may be a solicitation."""
    world = _caught_up()
    answers = _answers(world)
    states, _ = asyncio.run(_running(world, _loses(topic, range(PARTITIONS), told_by)))
    assert all(state.startswith("stopped: LogLost") and "gate61 rebuild" in state for state in states), states
    assert _answers(world) == answers


@pytest.mark.parametrize(("topic", "more"), [(REGISTER, 0), (REGISTER, 2), (POLICY, 0), (POLICY, 2)])
def test_a_running_worker_finds_out_that_register_or_policies_lost_their_end(topic: int, more: int) -> None:
    """Also where they reach just as far as before, so that nothing new comes of them. It decides nothing, and ends."""
    world = _caught_up()
    answers = _answers(world)

    def happens(world: World) -> None:
        lost = world.logs[topic, 0][-1]
        world.lose_end(topic, 0, 1)
        for _ in range(1 + more):
            world.append(topic, 0, lost.key, json.dumps(campaign()).encode(), (CONTENT_TYPE,))
        _ask(world)

    states, dead = asyncio.run(_running(world, happens))
    assert dead and _answers(world) == answers, states


def test_a_broker_that_comes_back_with_all_it_had_changes_nothing() -> None:
    """Whoever leads now begins an epoch: what was read last is looked for, and found."""
    world = _caught_up()
    answers = [len(log) for log in _answers(world)]

    def happens(world: World) -> None:
        world.epoch, world.heard = 1, 10_000
        world.append(REGISTER, 0, b"c", json.dumps(campaign(id="late")).encode(), (CONTENT_TYPE,))
        _ask(world)

    states, dead = asyncio.run(_running(world, happens))
    assert states == ["running"] * PARTITIONS and not dead
    assert all(len(log) > before for log, before in zip(_answers(world), answers, strict=True))


@pytest.mark.parametrize("topic", [ACTIONS, BETWEEN, REGISTER])
def test_a_log_is_another_too_where_the_new_brokers_clock_is_behind(topic: int) -> None:
    """By its times it might be the one; nobody was running when it lost its end."""
    world = _caught_up()
    answers = _answers(world)
    for n in range(PARTITIONS if topic != REGISTER else 1):
        log = world.logs[topic, n]
        log[-1] = log[-1]._replace(leader_epoch=2, timestamp=log[-1].timestamp - 1)
    _ask(world)
    states = asyncio.run(_goes_on(world))
    assert all("holds another record at offset" in state for state in states), states
    assert _answers(world) == answers


@pytest.mark.parametrize("topic", [REGISTER, POLICY])
def test_where_register_or_policies_lost_their_end_nobody_is_told_to_make_state_of_the_rest(topic: int) -> None:
    """It would allow what they forbade."""
    world = _caught_up()
    answers = _answers(world)
    if topic == POLICY:
        held = world.logs[POLICY, 0][0].value
        world.append(POLICY, 0, None, (held or b"").replace(b'version = "', b'version = "next-'))
        assert asyncio.run(_goes_on(world)) == ["running"] * PARTITIONS
    world.lose_end(topic, 0, 1)
    _ask(world)
    states = asyncio.run(_goes_on(world))
    assert all("must be read next" in state and "would allow what the rest forbade" in state for state in states), (
        states
    )
    assert not any("gate61 rebuild" in state for state in states) and _answers(world) == answers


@pytest.mark.parametrize("known", [True, False])
def test_the_first_policy_is_not_taken_for_another_one_in_its_place(known: bool) -> None:
    """It may allow what the firm's own holds. What an older program did not note is known once it was met."""
    world = _caught_up()
    if not known:
        for n in range(PARTITIONS):
            world.redis.data[b"{t:%d}:notes" % n][b"governed-in"] = b"99.7"
        _ask(world)
        assert asyncio.run(_goes_on(world)) == ["running"] * PARTITIONS
    answers = {record.value for log in _answers(world) for record in log}
    (policy,) = world.logs.pop((POLICY, 0))
    world.clock, world.epoch = world.clock + HOUR, 2
    world.append(POLICY, 0, None, (policy.value or b"").replace(b'version = "', b'version = "other '))
    _ask(world)
    states = asyncio.run(_goes_on(world))
    assert all("the log of policies holds another record" in state for state in states), states
    assert {record.value for log in _answers(world) for record in log} == answers


@pytest.mark.parametrize("grown", [False, True])
def test_answers_whose_records_are_gone_hold_up_no_campaign(grown: bool) -> None:
    """The log was made anew, or lost its end, and so did the state: what they were given on would be waited for, and a
    campaign that comes meanwhile not be applied. Nothing is decided, and what to do is said."""
    world = _caught_up()
    answers = _answers(world)
    world.redis.data.clear()
    world.clock += HOUR
    for n in range(PARTITIONS):
        log = world.logs[ACTIONS, n]
        lost = log[1:]
        del log[1:]
        for record in lost if grown else ():
            world.append(ACTIONS, n, record.key, b"another")
    world.append(REGISTER, 0, b"c", json.dumps(campaign(id="late")).encode(), (CONTENT_TYPE,))
    _ask(world)
    states = asyncio.run(_goes_on(world))
    assert all("was given on what stood at offset" in state for state in states), states
    assert _answers(world) == answers


@pytest.mark.parametrize("topic", [POLICY, REGISTER, BETWEEN, ACTIONS])
def test_answers_on_other_records_than_there_are_now_are_not_given_again(topic: int) -> None:
    """The log is as long as it was, and Redis went back to before: what was blocked would be allowed by the same id."""
    world = _caught_up()
    answers = _answers(world)
    world.redis.data.clear()
    for n in range(PARTITIONS) if topic in (BETWEEN, ACTIONS) else (0,):
        world.logs[topic, n] = [*_anew(world.logs[topic, n], 0)]
    _ask(world)
    states = asyncio.run(_goes_on(world))
    assert all("holds a later record there" in state for state in states), states
    assert _answers(world) == answers


def test_what_its_owner_went_on_to_while_it_was_taken_over_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the logs end was asked while somebody else could still go on."""
    world, asked = _caught_up(), list[int]()

    async def bounds(source: Source) -> list[Bounds]:
        asked.append(source.number)
        behind = int(asked.count(source.number) == 1)
        return [Bounds(0, end - behind) for end in source._ends()]

    monkeypatch.setattr(Source, "bounds", bounds)
    states = asyncio.run(_goes_on(world))
    assert states == ["running"] * PARTITIONS and not [what for what in world.happened if "LogLost" in what]


def test_what_an_older_program_wrote_says_nothing_of_epochs() -> None:
    """Its places went on, and what a newer one had noted of an earlier one stands there still."""
    world = _caught_up()
    for n in range(PARTITIONS):
        notes = world.redis.data[b"{t:%d}:notes" % n]
        notes |= {name: b"99.7" for name in notes if name.endswith(b"-in")}
    _ask(world)
    assert asyncio.run(_goes_on(world)) == ["running"] * PARTITIONS


def test_state_that_was_made_from_another_kafka_is_left_to_it() -> None:
    """Nothing is decided on it, what it would still publish is not published, and its own worker loses nothing."""
    world = _caught_up()
    answers, kept = _answers(world), copy.deepcopy(world.redis.data)
    for n in range(PARTITIONS):
        assert kept[b"{t:%d}:notes" % n][b"kafka"] == b"this"
    world.kafka = "another"
    _ask(world)
    states = asyncio.run(_goes_on(world))
    assert all(state.startswith("stopped: OtherKafka") for state in states), states
    assert all("`this`" in state and "`another`" in state and "GATE61_PREFIX" in state for state in states)
    assert world.redis.data == kept and _answers(world) == answers


def test_state_of_before_that_was_noted_is_of_the_kafka_that_it_is_found_with() -> None:
    """As soon as it is taken over, though nothing new comes."""
    world = _caught_up()
    for n in range(PARTITIONS):
        del world.redis.data[b"{t:%d}:notes" % n][b"kafka"]
        meta = world.redis.data[b"{t:%d}:meta" % n]
        meta[b"notes"] = b"%d" % (int(meta[b"notes"]) - 1)
    world.kafka = "found with"
    assert asyncio.run(_goes_on(world)) == ["running"] * PARTITIONS
    assert {world.redis.data[b"{t:%d}:notes" % n][b"kafka"] for n in range(PARTITIONS)} == {b"found with"}


def test_answers_that_their_log_lost_are_said() -> None:
    """They are not given again: whoever reads that log must be told."""
    planned, _ = plan([*clean_client(), offer(), *(located(at=f"{n} h") for n in range(3, 9))])
    world = asyncio.run(simulate(1, planned, 0.0))
    (number,) = (n for n in range(PARTITIONS) if world.logs.get((DECISIONS, n)))
    world.logs[DECISIONS, number].clear()
    world.happened.clear()
    assert set(asyncio.run(_goes_on(world))) == {"running"}
    assert [what for what in world.happened if f"{number} misses answers that were published" in what]


def test_answers_that_their_log_loses_while_a_worker_runs_are_said() -> None:
    """By the next ones: later on their offsets are all that is noted."""
    planned, _ = plan(
        [*clean_client(), offer(), offer("3 h", id="second"), *(located(at=f"{n} h") for n in range(4, 9))]
    )
    world = asyncio.run(simulate(1, planned, 0.0))
    (number,) = (n for n in range(PARTITIONS) if world.logs.get((DECISIONS, n)))

    async def runs() -> None:
        process = Process(world)
        for _ in range(300):
            await asyncio.sleep(0)
        world.logs[DECISIONS, number].clear()
        more = {**offer("10 h", id="third"), "subject": "anna"}
        world.append(ACTIONS, number, b"anna", json.dumps(more).encode(), (CONTENT_TYPE,))
        for _ in range(300):
            await asyncio.sleep(0)
        await process.kill()

    world.happened.clear()
    asyncio.run(runs())
    assert len(world.logs[DECISIONS, number]) == 1
    assert [what for what in world.happened if f"{number} misses answers that were published" in what]
