"""`gate61 policy`: checks a policy file, and puts it in force for all workers."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from gate.instants import LATEST
from gate.policy import Policy
from streams.commands.common import (
    kafka_or_refuse,
    policy_or_refuse,
    read_or_refuse,
    reading_kafka,
    say,
    settings_or_refuse,
    warn,
)
from streams.policy_file import PolicyRefused, differences, parse
from streams.terminal import plain

policies = typer.Typer(no_args_is_help=True, help="Policy files.")


File = Annotated[Path, typer.Argument(help="a policy file (TOML)")]


@policies.command()
def check(file: File) -> None:
    """Check a policy file, and print what it changes against the default."""
    policy = policy_or_refuse(file)
    say(f"policy {policy.version} may be used; digest {policy.digest}")
    _warn_of_countries(policy)
    _show(policy, policy_or_refuse(None), "the default")


@policies.command()
def publish(file: File) -> None:
    """Put a policy in force: workers judge by it whatever is appended after it; earlier answers stay."""
    settings = settings_or_refuse(redis=False)
    policy, text = read_or_refuse(file)
    from kafka import KafkaProducer

    from streams.kafka.connection import connection, opened
    from streams.kafka.reading import extent, records
    from streams.kafka.topics import topics

    name = topics(settings.prefix).policy.name
    with reading_kafka(settings) as consumer:
        before = _latest(records(consumer, extent(consumer, name)))
    with kafka_or_refuse(settings):
        producer = opened(KafkaProducer, **connection(settings.kafka), acks="all", allow_auto_create_topics=False)
        try:
            kept = producer.send(name, value=text, partition=0).get(timeout=30)
        finally:
            producer.close()
    _warn_of_countries(policy)
    say(f"policy {policy.version} is in force from offset {kept.offset} of `{name}` on; digest {policy.digest}")
    if before is None:
        _show(policy, policy_or_refuse(None), "the default")
    else:
        _show(policy, before, f"what was in force, version {before.version}")


def _warn_of_countries(policy: Policy) -> None:
    """States of the default's list that this one leaves out, or takes in later: the gate does not hold offers to them."""
    since = policy_or_refuse(None).countries
    out = [country for country, at in sorted(since.items()) if policy.countries.get(country, LATEST) > at]
    if out:
        warning = "every offer to clients there alone is allowed as OUT_OF_TERRITORY"
        warn(f"{', '.join(out)}: not in scope, or later than by the default policy; {warning}")


def _latest(published: Iterable[Any]) -> Policy | None:
    """The policy in force: the last that may be used."""
    found = None
    for record in published:
        with suppress(PolicyRefused):
            found = parse(record.value or b"", "of the policy topic")
    return found


def _show(policy: Policy, other: Policy, name: str) -> None:
    """What it changes; a version that says two things would leave answers that do not say by which they were given."""
    changed = differences(policy, other)
    say(f"  against {name}:" if changed else f"  the same as {name}")
    for line in changed:
        say(f"  {plain(line)}")
    if policy.version == other.version and policy.digest != other.digest:
        warning = f"version {policy.version} is also that of {name}, with digest {other.digest}"
        warn(f"{warning}; give this one a version of its own")
