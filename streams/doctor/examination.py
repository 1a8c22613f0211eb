"""The examination in its order: settings, policy, Kafka and its topics, the policy in force, Redis, clocks, state."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing

from kafka.errors import KafkaError
from redis import Redis
from redis.exceptions import RedisError

from gate.policy import Policy
from state.finding import Finding, Level
from state.redis import errors as redis_errors
from state.redis import health as redis_health
from state.redis.servers import Servers
from streams.doctor import brokers, clocks, partitions, policies
from streams.kafka.administration import Found, Planned, administrator, cluster, found_topics, plan
from streams.kafka.connection import Overheard
from streams.settings import Settings, SettingsRefused, settings, shown

REDIS_SECONDS = 5.0


def examine(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Each finding as soon as it is there; trouble of the world is a finding too.

    Changes nothing but for one record in the topic by which the brokers' clock is read.
    """
    heard = Overheard()  # What fails there is a finding here.
    try:
        found = settings(environment)
    except SettingsRefused as refused:
        for complaint in refused.complaints:
            what, _, do = complaint.partition("; ")
            yield Finding("settings", Level.WRONG, what, do or "correct it")
        return
    yield Finding("settings", Level.OK, f"topics `{found.prefix}gate61.*` at {', '.join(found.kafka.servers)}")
    own = yield from policies.own(found)
    planned, kafka = yield from _kafka(found, own, heard)

    def ask(names: list[str]) -> Mapping[str, Found]:
        with closing(administrator(found.kafka)) as admin:
            return found_topics(admin, names)

    try:
        yield from _redis(found, own, planned, kafka, ask)
    except KafkaError as error:
        yield _kafka_trouble(found, error, heard)


def _kafka(
    settings: Settings, own: Policy | None, heard: Overheard
) -> Generator[Finding, None, tuple[list[Planned], str]]:
    """What Kafka has; the topics, none if they could not be asked, and the id of its cluster."""
    planned: list[Planned] = []
    id = ""
    try:
        with closing(administrator(settings.kafka)) as admin:
            yield from brokers.cluster(admin)
            id = cluster(admin)
            planned = plan(admin, settings)
            yield from brokers.topics(planned)
            yield from policies.in_force(settings, planned, own)
            yield from clocks.of_broker(settings, planned, own)
    except (KafkaError, OSError) as error:
        yield _kafka_trouble(settings, error, heard)
    return planned, id


def _kafka_trouble(settings: Settings, error: Exception, heard: Overheard) -> Finding:
    what, do = heard.found(error)
    return Finding("Kafka", Level.WRONG, f"Kafka at {', '.join(settings.kafka.servers)}: {what}", do)


def _redis(
    settings: Settings, own: Policy | None, planned: list[Planned], kafka: str = "", ask: partitions.Ask | None = None
) -> Iterator[Finding]:
    def of_server(client: Redis) -> Iterator[Finding]:
        client.time()  # Who is not let in is told that, and not what he may not ask.
        yield from redis_health.findings(client)
        yield redis_health.memory(client)
        yield clocks.of_redis(client, own)

    try:
        with closing(Servers(settings.redis, REDIS_SECONDS)) as redis:
            yield from redis_health.of_each(redis, of_server)
            yield from partitions.state(redis, settings, planned, kafka, ask)
    except (RedisError, OSError, ValueError) as error:
        yield redis_errors.finding(error, shown(settings.redis))
