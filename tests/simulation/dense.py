"""Seeded histories in which the register and merged clients keep changing what was answered before, for many at once."""

from random import Random

from tests.stories.telling import (
    Event,
    asset,
    campaign,
    clean_client,
    contacted,
    country,
    entity,
    located,
    merged,
    offer,
    referred,
)

CLIENTS = ("anna", "ben", "cleo", "dora", "emil")


def dense(seed: int, size: int = 50) -> list[Event]:
    """Clients who asked and were made offers; then facts, offers and changes of the register, many reaching back."""
    random = Random(seed)
    events = [event for who in CLIENTS for event in clean_client(who)]
    events += [offer(who=who, id=f"first-{who}") for who in CLIENTS]
    for number in range(size):
        who, hours = random.choice(CLIENTS), random.randrange(1, 40)
        events.append(
            random.choice(
                [
                    asset("btc", f"{hours} h", f"asset-{number}", approved_by=random.choice([None, "st-register"])),
                    campaign(f"k{number % 3}", f"-{hours} h", id=f"campaign-{number}"),
                    entity("affiliate", random.choice(["affiliate", "independent"]), f"-{hours} d", f"entity-{number}"),
                    country("DE", random.random() < 0.7, f"{hours - 20} h"),
                    contacted(at=f"{hours} h", who=who),
                    referred(by="affiliate", at=f"-{hours} d", who=who),
                    located(random.choice(["DE", "CH"]), at=f"-{hours} d", who=who),
                    *[offer(f"{hours} h", who=who, id=f"offer-{number}")] * 4,
                    merged(random.choice([c for c in CLIENTS if c != who]), who=who),
                ]
            )
        )
    return events
