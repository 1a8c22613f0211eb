"""What one client tells who is the same person may be larger than any record: it travels in parts, and stops nobody."""

import json
from pathlib import Path
from random import Random

import pytest

from state.messages import PART
from tests.runtime.gate import Setting
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis
from tests.runtime.test_worker import run
from tests.stories import telling as t

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@pytest.fixture
def setting(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path)


def test_a_past_that_cannot_be_compressed_reaches_who_is_the_same_person(setting: Setting) -> None:
    """The answers are those that files give, and state is made again to the byte."""
    random = Random(1)

    def made_up() -> list[dict[str, str]]:
        return [{"asset": "".join(random.choices(LETTERS, k=100))} for _ in range(1_700)]

    past = [t.offer(f"{n} s", id=f"o-{n}", offer=f"o-{n}", promotes=made_up()) for n in range(80)]
    asked = [*t.clean_client("ben"), t.offer(who="ben", id="of-ben")]
    worker = setting.worker()
    worker.start()
    for line in (*asked, t.located(), t.contacted(at="-1 h"), *past):
        setting.publish([line])
    setting.caught_up(120)
    setting.publish([json.dumps(t.merged("ben")).encode(), json.dumps(t.offer("5 s", who="ben", id="after")).encode()])

    def replaced() -> bool:
        return any(a["client"] == "ben" and a["supersedes"] for a in setting.decisions().values())

    wait_until(replaced, 120, "ben's answer is replaced")
    setting.caught_up(120)
    assert sum((r.value or b"")[:1] == PART for r in setting.read(setting.names.between.name)) > 8
    standing = {(a["client"], a["event"]["id"]): a["verdict"] for a in setting.decisions().values()}
    assert standing["ben", "of-ben"] == standing["ben", "after"] == "block"
    assert worker.stop() == 0
    checked = run(worker, "rebuild", "--check")
    assert checked.returncode == 0 and checked.stdout.count("the same to the byte") == setting.partitions, checked
