"""The trivial rule on Quix Streams: stateful, in RocksDB with a changelog, exactly once. Runs in an environment of its own."""

import os
from datetime import datetime

from quixstreams import Application
from quixstreams.state import State

WINDOW_SECONDS = 24 * 3600
ASKED, OFFERED = "gate61.client.requested.v1", "gate61.offer.proposed.v1"


def rule(event: dict, state: State) -> dict | None:
    """An offer goes out if the client (the key, and so the state's) asked for the service within 24 hours before."""
    service, at = event["data"]["service"], datetime.fromisoformat(event["time"]).timestamp()
    if event["type"] == ASKED:
        state.set(service, at)
        return None
    requested = state.get(service)
    allowed = requested is not None and at - requested < WINDOW_SECONDS
    return {"event": event["id"], "offer": event["data"]["offer"], "verdict": "allow" if allowed else "block"}


def main() -> None:
    """Runs until SIGTERM."""
    app = Application(
        broker_address=os.environ["BENCH_KAFKA"],
        consumer_group=os.environ["BENCH_GROUP"],
        auto_offset_reset="earliest",
        state_dir=os.environ["BENCH_FOLDER"],
        processing_guarantee="exactly-once",
        commit_interval=float(os.environ["BENCH_COMMIT"]),
        consumer_poll_timeout=0.1,
        consumer_extra_config={"fetch.wait.max.ms": 10},
        producer_extra_config={"linger.ms": 5, "batch.size": 131072},
        auto_create_topics=True,
        loglevel="WARNING",
    )
    answers = app.topic(os.environ["BENCH_OUTPUT"])
    events = app.dataframe(app.topic(os.environ["BENCH_INPUT"]))
    events = events.filter(lambda event: event["type"] in (ASKED, OFFERED))
    events = events.apply(rule, stateful=True).filter(lambda answer: answer is not None)
    events.to_topic(answers)
    app.run()


if __name__ == "__main__":
    main()
