"""`gate61 alerts` on real topics: what a worker holds and takes back is told, also after a kill, and nothing else is."""

from collections import Counter
from pathlib import Path

import pytest

from tests.alerts.receiving import receiving
from tests.alerts.telling import SHARED
from tests.alerts.test_process import configured, running_alerts, story, told, until
from tests.runtime.gate import Setting
from tests.runtime.kafka import Kafka
from tests.runtime.redis import Redis

CLIENTS = 20


@pytest.fixture
def setting(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path)


def test_what_a_worker_holds_and_takes_back_is_told_once_by_meaning(setting: Setting, tmp_path: Path) -> None:
    worker = setting.worker()
    worker.start()
    environment = {**worker.settings, "SIEM_KEY": SHARED}
    turns = list(zip(*(story(f"c-{n}") for n in range(CLIENTS)), strict=True))
    with receiving() as there:
        arguments = [*configured(tmp_path, there), "--since", "1h"]
        for turn in turns:
            with running_alerts(arguments, environment, tmp_path) as running:
                setting.publish(turn)
                setting.caught_up()
                assert running.poll() is None
        wanted = Counter(new=CLIENTS * 5, corrected=CLIENTS * 2)
        with running_alerts(arguments, environment, tmp_path):
            until(lambda: told(there.said()) == wanted, 60)
        answers = [a for a in setting.decisions().values() if not a["may_send"]]
        assert sum(m["data"]["counts"]["new"] for m in there.said()) == len(answers) + CLIENTS
    assert worker.stop() == 0
