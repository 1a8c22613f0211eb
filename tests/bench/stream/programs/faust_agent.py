"""A plain Faust agent: doing nothing, or the trivial rule in a table if BENCH_RULE is set. At least once."""

import os
from datetime import datetime

import faust
import msgspec

WINDOW_SECONDS = 24 * 3600

app = faust.App(
    os.environ["BENCH_GROUP"],
    broker=f"kafka://{os.environ['BENCH_KAFKA']}",
    store="memory://",
    datadir=os.environ["BENCH_FOLDER"],
    web_enabled=False,
    key_serializer="raw",
    value_serializer="raw",
    topic_partitions=int(os.environ["BENCH_PARTITIONS"]),
    topic_replication_factor=1,
    broker_commit_interval=0.5,
    broker_session_timeout=10.0,
    stream_wait_empty=False,
    producer_linger=0,
    producer_max_batch_size=131072,
)
events = app.topic(os.environ["BENCH_INPUT"], key_type=bytes, value_type=bytes)

if os.environ.get("BENCH_RULE"):
    answers = app.topic(os.environ["BENCH_OUTPUT"], key_type=bytes, value_type=bytes)
    requests = app.Table("requests", key_type=str, value_type=float)

    @app.agent(events)
    async def rule(stream: faust.Stream) -> None:
        """An offer goes out if the client asked for the service within 24 hours before."""
        async for value in stream:
            event = msgspec.json.decode(value)
            kind = event["type"]
            if kind not in ("gate61.client.requested.v1", "gate61.offer.proposed.v1"):
                continue
            asked = f"{event['subject']}|{event['data']['service']}"
            at = datetime.fromisoformat(event["time"]).timestamp()
            if kind == "gate61.client.requested.v1":
                requests[asked] = at
                continue
            requested = requests.get(asked)
            allowed = requested is not None and at - requested < WINDOW_SECONDS
            said = {"event": event["id"], "offer": event["data"]["offer"], "verdict": "allow" if allowed else "block"}
            await answers.send(key=event["subject"].encode(), value=msgspec.json.encode(said))

else:

    @app.agent(events)
    async def nothing(stream: faust.Stream) -> None:
        """Reads and forgets."""
        async for _ in stream:
            pass


app.main()
