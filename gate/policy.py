"""The policy: every number and list that is the firm's choice, dated and sourced.

A senseless policy is refused with all complaints at once (judging section 8). Reading TOML is the border's business.
"""

from hashlib import blake2b
from typing import Final

from msgspec import Struct

from gate.facts import Instant

MILLISECOND: Final = 1_000
SECOND: Final = 1_000 * MILLISECOND
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
HARD_LIMIT_REFUSED: Final = 28 * DAY
"""ESMA's example of too late is a month (guideline 4, draft para. on timing; secondary source)."""

PAIR_RULES: Final = ("class", "technology", "reference_currency", "basket", "liquid", "identifiable_issuer")
STEPS: Final = (
    "acting_entity",
    "territory",
    "regime",
    "content",
    "relationship",
    "initiation",
    "type",
    "time",
)
REQUIRED_CHANNELS: Final = (
    "email",
    "push",
    "ads",
    "search",
    "social",
    "influencers",
    "affiliates",
    "sponsorship",
    "calls",
    "group",
)


class Policy(Struct, frozen=True):
    """The numbers of judging section 8; times in microseconds, countries with the instant they come into scope."""

    version: str
    source: str
    digest: str
    soft_limit: Instant
    hard_limit: Instant
    clock_tolerance: Instant
    close_link_percent: float
    release_limit: Instant
    pair_rules: tuple[str, ...]
    steps: tuple[str, ...]
    required_channels: tuple[str, ...]
    self_approving_kinds: frozenset[str]
    self_approving_filers: frozenset[str]
    countries: dict[str, Instant]


def concluding(policy: Policy) -> str:
    """Digest of the policy fields that dossiers' stored conclusions depend on."""
    leant_on = (policy.hard_limit, sorted(policy.countries.items()))
    return blake2b(repr(leant_on).encode(), digest_size=8).hexdigest()


def complaints(policy: Policy) -> list[str]:
    """Everything that makes this policy senseless; empty when it may be used."""
    found = []
    if not policy.version.strip():
        found.append("`version` is empty: name the version, it is printed in every answer")
    if not policy.source.strip():
        found.append("`source` is empty: say where the numbers come from")
    if not 0 < policy.hard_limit < HARD_LIMIT_REFUSED:
        found.append("`window.hard_days` must be more than 0 and less than 28")
    if policy.soft_limit < 0:
        found.append("`window.soft_hours` must not be negative")
    if policy.soft_limit > policy.hard_limit:
        found.append("`window.soft_hours` is above the hard limit")
    if policy.clock_tolerance < 0:
        found.append("`clock.tolerance_seconds` must not be negative")
    if not 0 < policy.close_link_percent <= 20:
        found.append("`persons.close_link_percent` must be more than 0 and at most 20 (close links start at 20 %)")
    if not 0 < policy.release_limit <= DAY:
        found.append("`review.release_hours` must be more than 0 and at most 24")
    found += _missing("types.pair_rules", policy.pair_rules, PAIR_RULES)
    found += _missing("steps.order", policy.steps, STEPS)
    if sorted(policy.steps) == sorted(STEPS) and policy.steps != STEPS:
        found.append("`steps.order` must keep the order " + " ".join(STEPS))
    found += _missing("evidence.required_channels", policy.required_channels, REQUIRED_CHANNELS)
    if not policy.countries:
        found.append("`countries` is empty: list the states in scope with their dates")
    return found


def _missing(name: str, given: tuple[str, ...], wanted: tuple[str, ...]) -> list[str]:
    if not given:
        return [f"`{name}` is removed or empty"]
    return [f"`{name}` lacks `{word}`" for word in wanted if word not in given]
