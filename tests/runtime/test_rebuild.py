"""`gate61 rebuild` on real Kafka and Redis: state is made from all of the logs, or it is not touched."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import ConfigResource
from typer.testing import CliRunner

from gate.dossier import Dossier
from state.redis.look import tag
from state.redis.store import RedisStore
from streams.cli import app
from streams.kafka.record import partition_of
from streams.policy_file import DEFAULT
from streams.settings import settings
from streams.worker.partition import Partition
from streams.worker.rebuild import NotMade, Rebuild
from tests.runtime.gate import CONTENT_TYPE, Setting, Worker
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis
from tests.runtime.test_worker import NotUtf8, page, run
from tests.stories.telling import REGISTER, clean_client, offer

ANNA = partition_of(b"anna", 2)
"""Her partition."""


@pytest.fixture
def setting(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path, partitions=2)


@pytest.fixture
def worker(setting: Setting) -> Worker:
    """One that has judged what happened around Anna, and taken a message that is none, and has ended."""
    worker = setting.worker()
    worker.start()
    setting.producer.send(setting.names.between.name, b"no message", partition=ANNA).get(20)
    setting.publish([*REGISTER, *clean_client("anna"), offer(who="anna")])
    setting.caught_up()
    with setting.redis.client() as client:
        wait_until(lambda: client.hget(_key(setting, "notes"), "between") == b"1", 20)
    assert worker.stop() == 0
    return worker


def _key(setting: Setting, name: str) -> str:
    """Of her partition."""
    return f"{tag(f'{setting.names.actions.name}:{ANNA}')}{name}"


def _state(setting: Setting) -> dict[bytes, bytes]:
    with setting.redis.client() as client:
        keys = client.scan_iter(match=f"{{{setting.prefix}*", count=1000)
        return {key: client.dump(key) for key in keys}


@pytest.mark.parametrize("which", ["actions", "between"])
def test_state_is_not_made_from_a_log_whose_beginning_was_deleted(setting: Setting, worker: Worker, which: str) -> None:
    """What was deleted may forbid what the rest would allow; what has all its records is made."""
    topic = getattr(setting.names, which).name
    with setting.kafka.admin() as admin:
        admin.delete_records({TopicPartition(topic, ANNA): 1})
    before = _state(setting)
    for words in ("--yes", "--check"):
        refused = run(worker, "rebuild", words)
        assert refused.returncode == 1 and _state(setting) == before
        (said,) = refused.stderr.splitlines()
        assert f"records of `{topic}` were deleted, in partition {ANNA} (begins at 1)" in said and "from a copy" in said
    for words in ("--yes", "--check"):
        assert run(worker, "rebuild", words, "--partition", str(1 - ANNA)).returncode == 0
    examined = run(worker, "doctor")
    assert f"records of `{topic}` from which state was made were deleted" in examined.stdout
    assert "state     records of" in examined.stdout and examined.stdout.count("never be made anew") == 1


def test_all_partitions_are_looked_for_before_one_is_made(setting: Setting, worker: Worker) -> None:
    before = _state(setting)
    refused = run(worker, "rebuild", "--yes", "--partition", "0", "--partition", "99")
    assert refused.returncode == 2 and "there is no partition 99; there are 2, from 0" in refused.stderr
    assert not refused.stdout and _state(setting) == before


def test_published_answers_are_known_to_state_that_is_made_of_all_they_were_given_on(
    setting: Setting, worker: Worker
) -> None:
    """Who takes it over need not look through them; he must where they are of more than that."""

    def noted() -> int:
        with setting.redis.client() as client:
            return int(client.hget(_key(setting, "notes"), "answers") or 0)

    published = len([record for record in setting.read(setting.names.decisions.name) if record.partition == ANNA])
    assert noted() == published > 0
    assert run(worker, "rebuild", "--yes").returncode == 0
    assert noted() == published
    assert run(worker, "rebuild", "--check").returncode == 0
    with setting.redis.client() as client:
        client.hset(_key(setting, "meta"), "next", setting.ends()[ANNA] - 1)
    run(worker, "rebuild", "--yes")
    assert noted() == 0


def _rebuild(setting: Setting, monkeypatch: pytest.MonkeyPatch, told: Callable[[], object]) -> Rebuild:
    """In this process, a record at a time; `told` is called after each."""
    monkeypatch.setattr("streams.logs.taking.BATCH_MEMORY", 1)
    made = settings(
        {"GATE61_KAFKA": setting.kafka.servers, "GATE61_REDIS": setting.redis.url, "GATE61_PREFIX": setting.prefix}
    )

    def told_of(*_: int) -> None:
        told()

    rebuild = Rebuild(made, setting.server.client(), told_of)
    assert rebuild.begin(beside=True) == 2
    return rebuild


def _store(setting: Setting, client: Any) -> RedisStore:
    return RedisStore(client, f"{setting.names.actions.name}:{ANNA}")


def test_what_unpacks_to_very_much_is_taken_in_portions(
    setting: Setting, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a batch is one write, also here; and the state is the same."""
    sizes, read = [], Partition.read

    def measured(partition: Partition, actions: Sequence[Any], *rest: Any) -> None:
        sizes.append(len(actions))
        read(partition, actions, *rest)

    monkeypatch.setattr(Partition, "read", measured)
    done = _rebuild(setting, monkeypatch, lambda: None).check(ANNA)
    assert done.differs == () and done.events == sum(sizes) == setting.ends()[ANNA] > 1
    assert max(sizes) == 1


def test_state_that_goes_on_while_it_is_compared_is_not_said_to_differ(
    setting: Setting, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker at work is no fault of the state."""
    with setting.redis.client() as client:
        store = _store(setting, client)

        def work() -> None:
            store.assign()
            store.keep(Dossier("anna", horizon=1))
            store.commit()

        with pytest.raises(NotMade, match=r"went on while it was compared.*stop the workers, then check again"):
            _rebuild(setting, monkeypatch, work).check(ANNA)


def test_who_is_overtaken_while_making_state_says_so(
    setting: Setting, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers of another group are not seen before; they see to it that only one writes."""
    with setting.redis.client() as client:
        overtake = _store(setting, client).assign
        with pytest.raises(NotMade, match=rf"partition {ANNA} is not finished: somebody else wrote.*GATE61_GROUP"):
            _rebuild(setting, monkeypatch, overtake).make(ANNA)


UNREADABLE = (
    ("meta", "next", "holds `ten` as `next`, which is no number"),
    ("notes", "register", "holds `ten` as `register`, which is no number"),
    ("notes", "partitions", "holds `ten` as `partitions`, which is no number"),
    ("meta", "", "holds `meta` as another type"),
    ("dossiers", "", "holds `dossiers` as another type"),
)


def test_state_that_cannot_be_read_is_told_and_made_anew(setting: Setting, worker: Worker) -> None:
    """It is what the command is for."""
    for key, field, said in UNREADABLE:
        with setting.redis.client() as client:
            if field:
                client.hset(_key(setting, key), field, "ten")
            else:
                client.delete(_key(setting, key))
                client.set(_key(setting, key), "somebody was here")
        checked = run(worker, "rebuild", "--check")
        assert checked.returncode == 1 and said in checked.stdout, checked
        (refused,) = checked.stderr.splitlines()
        assert f"the state of partition {ANNA} cannot be used" in refused
        made = run(worker, "rebuild", "--yes")
        assert made.returncode == 0, made
        assert run(worker, "rebuild", "--check").returncode == 0, said
    worker.start()
    wait_until(lambda: page(worker, "readyz")[0] == 200, 60)
    setting.caught_up()
    assert worker.stop() == 0 and setting.differences() == []


def test_a_place_that_the_log_does_not_reach_is_told(setting: Setting, worker: Worker) -> None:
    """State is made of what there is, and that is not all."""
    with setting.redis.client() as client:
        client.hset(_key(setting, "meta"), "next", 500)
    end = setting.ends()[ANNA]
    for words in ("--check", "--yes"):
        made = run(worker, "rebuild", words)
        assert made.returncode == 1 and f"partition {ANNA}: {end} of 500 events" in made.stdout, made
        assert f"`{setting.names.actions.name}` ends at offset {end} of 500" in made.stderr
    assert run(worker, "rebuild", "--check").returncode == 0


def test_without_a_policy_no_state_is_removed(setting: Setting) -> None:
    """It would be made of nothing."""
    setting.publish(clean_client("anna"))
    with setting.redis.client() as client:
        store = _store(setting, client)
        store.assign()
        for name in ("policy", "register", "between"):
            store.note(name, b"0")
        store.note("walk", b"-1")
        store.commit(1)
    before = _state(setting)
    refused = run(setting.worker(), "rebuild", "--yes")
    assert refused.returncode == 1 and "holds no policy that can be used" in refused.stderr, refused
    assert _state(setting) == before


def test_a_time_that_its_sender_chose_is_no_part_of_state(setting: Setting, worker: Worker) -> None:
    """What a worker stopped at is not looked at; where the place is lost too, it is refused by name."""
    topic = setting.names.actions.name
    with setting.kafka.admin() as admin:
        admin.alter_configs([ConfigResource("TOPIC", topic, {"message.timestamp.type": "CreateTime"})])
    time.sleep(0.5)
    line = json.dumps({**offer(who="anna"), "id": "later"}).encode()
    setting.producer.send(topic, line, b"anna", [CONTENT_TYPE], partition=ANNA, timestamp_ms=1).get(20)
    assert run(worker, "rebuild", "--check").returncode == 0
    assert run(worker, "rebuild", "--yes").returncode == 0
    assert run(worker, "rebuild", "--check").returncode == 0
    with setting.redis.client() as client:
        client.hset(_key(setting, "meta"), "next", setting.ends()[ANNA])
    refused = run(worker, "rebuild", "--check")
    assert refused.returncode == 1 and f"`{topic}` has a time that its sender chose" in refused.stderr, refused
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("which", ["actions", "register"])
def test_nothing_is_decided_or_made_where_earlier_records_of_a_key_are_removed(
    setting: Setting, worker: Worker, which: str
) -> None:
    """What was removed may forbid what the rest allows, and nobody can see that it is gone."""
    topic, before = getattr(setting.names, which).name, _state(setting)
    with setting.kafka.admin() as admin:
        admin.alter_configs([ConfigResource("TOPIC", topic, {"cleanup.policy": "compact,delete"})])
    for words in ("--yes", "--check"):
        refused = run(worker, "rebuild", words)
        assert refused.returncode == 1 and f"`{topic}`: earlier records of a key are removed" in refused.stderr
    assert _state(setting) == before
    worker.start()
    wait_until(lambda: not worker.alive, 30)
    assert "cannot start" in worker.said() and f"`{topic}`: earlier records" in worker.said()
    assert _state(setting) == before


class _Died(Exception):
    """Whatever ends the making of state."""


def _die_after(records: int) -> Callable[[], None]:
    """To be told of each record; raises with the last."""
    told = iter(range(records - 1))

    def hear() -> None:
        if next(told, None) is None:
            raise _Died

    return hear


def _half_made(setting: Setting, monkeypatch: pytest.MonkeyPatch, records: int) -> None:
    with monkeypatch.context() as here, pytest.raises(_Died):
        _rebuild(setting, here, _die_after(records)).make(ANNA)


def _says_half_made(setting: Setting, worker: Worker, made: int) -> None:
    """Who checks it, and the doctor; both touch nothing."""
    before, of = _state(setting), f"{made} of {setting.ends()[ANNA]} events"
    checked = run(worker, "rebuild", "--check")
    assert checked.returncode == 1 and f"partition {ANNA} ({of}) was left half made" in checked.stderr, checked
    (told,) = [json.loads(line) for line in run(worker, "rebuild", "--check", "--json").stdout.splitlines()][ANNA:][:1]
    assert (told["events"], told["unfinished"]) == (made, setting.ends()[ANNA])
    assert f"made anew and not finished, in partition {ANNA} ({of})" in run(worker, "doctor").stdout
    assert _state(setting) == before


def test_what_was_left_half_made_is_no_goal_but_is_finished(
    setting: Setting, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often, and wherever it ended: right after the first key was removed, too."""
    whole, end = _state(setting), setting.ends()[ANNA]
    _half_made(setting, monkeypatch, 3)
    assert setting.stored()[ANNA] == 3
    _says_half_made(setting, worker, 3)
    _half_made(setting, monkeypatch, 2)
    _says_half_made(setting, worker, 2)
    with monkeypatch.context() as here, pytest.raises(_Died):
        here.setattr(RedisStore, "clear", _died)
        _rebuild(setting, here, lambda: None).make(ANNA)
    with setting.redis.client() as client:
        for key in ("meta", "dossiers", "outbox"):
            client.delete(_key(setting, key))
    made = run(worker, "rebuild", "--yes")
    assert made.returncode == 0 and f"partition {ANNA}: {end} events" in made.stdout, made
    assert run(worker, "rebuild", "--check").returncode == 0
    assert "not finished" not in run(worker, "doctor").stdout
    hers = _key(setting, "").encode()
    kept, found = ({key for key in state if key.startswith(hers)} for state in (whole, _state(setting)))
    assert found == kept


def _died(_: RedisStore) -> None:
    raise _Died


def test_what_a_killed_comparison_left_is_told_of_and_removed_by_the_next(
    setting: Setting, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, left = (
        _state(setting),
        f"a second state, made to be compared with the first, takes Redis' memory, in partition {ANNA}",
    )
    with monkeypatch.context() as here, pytest.raises(_Died):
        rebuild = _rebuild(setting, here, _die_after(3))
        clearing = iter((RedisStore.clear, _died))
        here.setattr(RedisStore, "clear", lambda store: next(clearing)(store))
        rebuild.check(ANNA)
    assert left in run(worker, "doctor").stdout
    assert run(worker, "rebuild", "--check").returncode == 0
    assert left not in run(worker, "doctor").stdout and _state(setting) == before


def test_a_worker_goes_on_with_what_was_left_half_made(
    setting: Setting, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is like a state that went back: the rest is judged and said again, the same bytes; the worker says so."""
    _half_made(setting, monkeypatch, 3)
    worker.start()
    setting.caught_up()
    assert "state was left half made" in worker.said()
    assert worker.stop() == 0 and setting.differences() == []
    checked = run(worker, "rebuild", "--check")
    assert checked.returncode == 0 and "not finished" not in checked.stdout, checked
    setting.publish([offer(who="anna", id="later")])
    worker.start()
    setting.caught_up()
    assert worker.stop() == 0
    made = run(worker, "rebuild", "--yes")
    assert made.returncode == 0 and f"partition {ANNA}: {setting.ends()[ANNA]} events" in made.stdout, made


def test_records_that_the_worker_reads_are_read_by_every_command(setting: Setting, worker: Worker) -> None:
    """A header's name that is not UTF-8, among what happens around clients and among the policies."""
    headers = [(NotUtf8("\\xffname"), b"1"), CONTENT_TYPE]
    names = setting.names
    setting.producer.send(names.actions.name, b"{no json", b"x", headers, partition=ANNA).get(30)
    worker.start()
    setting.publish([offer(who="anna", id="behind")])
    setting.caught_up()
    assert worker.stop() == 0
    setting.producer.send(names.policy.name, DEFAULT.read_bytes(), headers=headers, partition=0).get(30)
    for words in ("--check", "--yes", "--check"):
        done = run(worker, "rebuild", words)
        assert done.returncode == 0, done
    assert setting.stored() == setting.ends()
    assert "in force is version" in run(worker, "doctor").stdout
    assert "the same as what was in force" in run(worker, "policy", "publish", str(DEFAULT)).stdout
    assert "xffname" in run(worker, "dlq", "show", f"{ANNA}:1").stdout


def test_who_interrupts_it_is_told_which_partition_is_not_finished(
    setting: Setting, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between removing the state and making it; a check leaves nothing behind."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Rebuild, "_replay", interrupted)
    where = {"KAFKA": setting.kafka.servers, "REDIS": setting.redis.url, "PREFIX": setting.prefix, "PARTITIONS": "2"}
    for name, value in where.items():
        monkeypatch.setenv(f"GATE61_{name}", value)
    done = CliRunner().invoke(app, ["rebuild", "--yes", "--partition", str(ANNA)])
    assert done.exit_code == 130, done.output
    assert (
        f"partition {ANNA} holds only what was made so far; run it again: `gate61 rebuild --partition {ANNA}`"
        in done.stderr
    )
    done = CliRunner().invoke(app, ["rebuild", "--check", "--partition", str(ANNA)])
    assert done.exit_code == 130 and "interrupted: no state is left half made" in done.stderr
