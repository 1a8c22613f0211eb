"""`gate61 policy`: checks a policy file, and puts it in force for all workers."""

from pathlib import Path

import typer

from gate.policy import Policy
from streams.commands.common import policy_or_refuse, refuse, settings_or_refuse
from streams.policy_file import differences

policies = typer.Typer(no_args_is_help=True, help="Policy files.")


@policies.command()
def check(file: Path) -> None:
    """Check a policy file, and print what it changes against the default."""
    policy = policy_or_refuse(file)
    print(f"policy {policy.version} may be used; digest {policy.digest}")
    _show(policy, policy_or_refuse(None), "the same as the default")


@policies.command()
def publish(file: Path) -> None:
    """Put a policy in force: workers judge by it whatever is appended after it; earlier answers stay."""
    settings = settings_or_refuse(redis=False)
    policy = policy_or_refuse(file)
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    from streams.connection import connection
    from streams.topics import topics

    name = topics(settings.prefix).policy.name
    try:
        producer = KafkaProducer(**connection(settings.kafka), acks="all")
        try:
            kept = producer.send(name, value=file.read_bytes(), partition=0).get(timeout=30)
        finally:
            producer.close()
    except KafkaError as error:
        raise refuse(f"not published: {error}; see that Kafka runs and `gate61 topics plan`, then again", 1) from None
    print(f"policy {policy.version} is in force from offset {kept.offset} of `{name}` on; digest {policy.digest}")
    _show(policy, policy_or_refuse(None), "the same as the default")


def _show(policy: Policy, other: Policy, same: str) -> None:
    changed = differences(policy, other)
    for name, ours, theirs in changed:
        print(f"  {name}: {ours} -> {theirs}")
    if not changed:
        print(f"  {same}")
