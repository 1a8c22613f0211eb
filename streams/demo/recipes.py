"""What clients of the demo go through. Each recipe is one story; its docstring says how the gate answers it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gate.policy import REQUIRED_CHANNELS
from streams.demo.client import INTAKE, REVIEW, Client, Offer, Request, Thing
from streams.demo.diary import march, stamp
from streams.demo.house import AFFILIATE, SISTER

Later = tuple[Thing, float]
"""Something offered, and how many hours after the request."""

_ADVICE = Thing("advice")


def after(at: datetime, hours: float) -> datetime:
    """So many hours later."""
    return at + timedelta(hours=hours)


def asks_with_proof(client: Client, thing: Thing, at: datetime, channel: str = "email") -> Request:
    """An unprompted request with everything on file and approved within the hour."""
    request = client.asks_for(thing, at, channel)
    client.is_proven(request)
    return request


def answered(client: Client, thing: Thing, at: datetime, offers: Sequence[Later], channel: str = "email") -> Request:
    """Asked, proven, offered within the day, sent: allow."""
    request = asks_with_proof(client, thing, at, channel)
    for offered, hours in offers:
        client.is_offered_and_sent(offered, after(at, hours), request)
    return request


def held(client: Client, thing: Thing, at: datetime, offers: Sequence[Later], channel: str = "email") -> list[Offer]:
    """Asked and proven; what is offered meets an objection and is not sent."""
    request = asks_with_proof(client, thing, at, channel)
    return [client.is_offered(offered, after(at, hours), request) for offered, hours in offers]


def lapsing(client: Client, thing: Thing, at: datetime, sibling: Thing) -> None:
    """The window: allow on day 1, flag on days 3 and 9, block on day 12."""
    request = answered(client, thing, at, [(thing, 3)])
    for days in (2, 8, 11):
        client.is_offered(sibling, after(at, days * 24 + 1), request)


def recurring(client: Client, thing: Thing, at: datetime) -> None:
    """A savings plan that runs on: its executions open no window, so a later offer comes too late: block."""
    request = answered(client, thing, at, [(thing, 2)], "app")
    for week in (1, 2, 3):
        client.asks_for(thing, at + timedelta(weeks=week), "app", kind="recurring_execution")
    client.is_offered(thing, at + timedelta(weeks=3, hours=2), request)


def new_product(client: Client, custody: Thing, at: datetime) -> None:
    """Staking after plain custody: block. Savings, once asked for, covers its mapped sister savings-flex: allow."""
    request = answered(client, custody, at, [(custody, 4)])
    client.is_offered(custody._replace(product="staking"), after(at, 5), request)
    savings, flex = custody._replace(product="savings"), custody._replace(product="savings-flex")
    answered(client, savings, after(at, 72), [(flex, 2)], "app")


def not_released(client: Client, thing: Thing, other: Thing, at: datetime) -> None:
    """Another service or type: block; a release of it is refused, for people may not waive the law."""
    request = answered(client, thing, at, [(thing, 2)])
    offer = client.is_offered(other, after(at, 3), request)
    client.is_released(offer, after(offer.at, 1), "client would surely like it")


def unclassified_released(client: Client, at: datetime) -> None:
    """Asked for an asset that nobody has approved yet: block, the one block that two people may release."""
    bch = Thing("exchange_funds", "bch")
    (offer,) = held(client, bch, at, [(bch, 3)])
    client.is_released(offer, after(offer.at, 1), "classification is due; the client named the asset")
    client.is_sent(offer, seconds=5400)


def unassessed(client: Client, at: datetime) -> None:
    """A sibling nobody has approved: block. Approved later, but in no group of types: flag."""
    btc, bch = Thing("exchange_funds", "btc"), Thing("exchange_funds", "bch")
    held(client, btc, at, [(bch, 4)])
    held(client, btc, after(at, 240), [(bch, 4)])


def released(client: Client, thing: Thing, at: datetime) -> Offer:
    """Held after thirty hours, let go by two people, sent."""
    (offer,) = held(client, thing, at, [(thing, 30)], "chat")
    client.is_released(offer, after(offer.at, 0.5), "the client waits for the quote asked for")
    client.is_sent(offer, seconds=3600)
    return offer


def signed_by_one(client: Client, thing: Thing, at: datetime) -> None:
    """Held after twenty-six hours; the second signature is the first one's: it counts for nothing, flag stays."""
    (offer,) = held(client, thing, at, [(thing, 26)])
    client.is_released(offer, after(offer.at, 0.5), "looks fine", second=REVIEW)
    client.stays_held(offer, after(offer.at, 3), "the client has not answered; too late to follow up")


def late_file(client: Client, thing: Thing, at: datetime) -> None:
    """Allowed on the day; a file of the last days shows a paid click before the request: all turn into block."""
    known = march(30, 7)
    request = answered(client, thing, at, [(thing, 2), (thing, 6)], "web")
    client.was_referred(after(at, -70), AFFILIATE, known)
    client.is_offered(thing, after(known, 5), request)


def via(client: Client, who: str, thing: Thing, at: datetime) -> None:
    """Came through somebody's link: it depends on who that is, and on when the firm says so."""
    client.arrives(after(at, -40), "link", via=who)
    held(client, thing, at, [(thing, 2), (thing, 5)], "web")


def box_ticked(client: Client, thing: Thing, at: datetime) -> None:
    """A tick in a box and nothing else: block."""
    client.ticks_the_box(after(at, -0.2))
    request = client.asks_for(thing, at, "web")
    client.is_offered(thing, after(at, 2), request)


def nothing_filed(client: Client, thing: Thing, at: datetime) -> None:
    """Not even that: block; after the log was found and approved: allow."""
    request = client.asks_for(thing, at, "app")
    client.is_offered(thing, after(at, 1), request)
    client.is_proven(request, minutes=120)
    client.is_offered_and_sent(thing, after(at, 3), request)


def approved_by_filer(client: Client, thing: Thing, at: datetime) -> None:
    """Filed, not approved: block. The filer approves it himself: block still. Somebody else does: allow."""
    request = client.asks_for(thing, at, "letter")
    record, search = client.record(request, after(at, 0.5)), client.search(request, after(at, 0.5))
    client.is_offered(thing, after(at, 1), request)
    client.is_approved(record, after(at, 2), by=INTAKE)
    client.is_offered(thing, after(at, 3), request)
    client.is_approved(record, after(at, 4))
    client.is_approved(search, after(at, 4))
    client.is_offered_and_sent(thing, after(at, 5), request)


def half_searched(client: Client, thing: Thing, at: datetime) -> None:
    """Some channels were never searched: flag; the rest searched: allow."""
    request = client.asks_for(thing, at)
    record, search = (
        client.record(request, after(at, 0.3)),
        client.search(request, after(at, 0.3), REQUIRED_CHANNELS[:6]),
    )
    client.is_approved(record, after(at, 0.6))
    client.is_approved(search, after(at, 0.6))
    client.is_offered(thing, after(at, 1), request)
    client.is_approved(client.search(request, after(at, 4), REQUIRED_CHANNELS[6:]), after(at, 5))
    client.is_offered_and_sent(thing, after(at, 6), request)


def outside(client: Client, thing: Thing, at: datetime) -> None:
    """Lives outside the Union: allow without more. Once the client moves into it, proof is asked for: block."""
    client.is_sent(client.is_offered(thing, at))
    client.is_sent(client.is_offered(thing, after(at, 100)))
    client.is_located("IT", after(at, 200))
    client.is_offered(thing, after(at, 220))


def travelling(client: Client, thing: Thing, at: datetime) -> None:
    """A residence outside, an address on the network inside: flag, until that address is gone: allow."""
    client.is_located("DE", after(at, -5), "ip", until=after(at, 72))
    held(client, thing, at, [(thing, 2)], "app")
    client.is_offered(thing, after(at, 100))


def nowhere(client: Client, thing: Thing, at: datetime) -> None:
    """Only an address on the network, outside: flag. With papers from outside: allow."""
    client.is_located("SG", after(at, -1), "ip")
    held(client, thing, at, [(thing, 2)], "chat")
    client.is_located("CH", after(at, 50))
    client.is_sent(client.is_offered(thing, after(at, 60)))


def statement_with_banner(client: Client, thing: Thing, at: datetime) -> None:
    """A statement that praises savings or leads to products is marketing: block. Without: allow."""
    request = answered(client, thing, at, [(thing, 3)])
    banner = [{"service": "custody", "product": "savings"}]
    plain = Thing(thing.service)
    client.is_offered(plain, after(at, 8), request, "service_notice", promotes=banner, link=True)
    client.is_offered(plain, after(at, 9), request, "service_notice", link=True)
    client.is_sent(client.is_offered(plain, after(at, 10), request, "service_notice"))


def lesson(client: Client, thing: Thing, at: datetime) -> None:
    """A lesson passes: allow; one with a form to sign up: block; one that praises what was asked for: flag."""
    request = asks_with_proof(client, thing, at)
    plain = Thing(thing.service)
    client.is_sent(client.is_offered(plain, after(at, 2), request, "education"))
    client.is_offered(plain, after(at, 3), request, "education", contact_capture=True)
    client.is_offered(plain, after(at, 4), request, "education", promotes=[thing.named()])


def winding_down(client: Client, thing: Thing, at: datetime) -> None:
    """Suspended, then exit only: offers block, the way out passes. One person alone cannot make it milder."""
    request = answered(client, thing, at, [(thing, 2)])
    client.becomes("suspended", after(at, 4), "proof of the beginning under review")
    client.is_offered(thing, after(at, 6), request)
    client.becomes("exit_only", after(at, 96), "leaves by the end of the month")
    client.is_offered(thing, after(at, 98), request)
    client.is_sent(client.is_offered(Thing("transfer"), after(at, 99), None, "exit_help", link=True))
    client.becomes("exempt", after(at, 120), "changed my mind", second=None)
    client.is_offered(thing, after(at, 122), request)


def one_person(client: Client, other: Client, thing: Thing, at: datetime, found: datetime) -> None:
    """Allowed, until another account of the same person turns out to have come through an affiliate: block."""
    other.arrives(after(at, -400), "link", via=AFFILIATE)
    request = answered(client, thing, at, [(thing, 1), (thing, 7)])
    client.turns_out_to_be(other, found)
    client.is_offered(thing, after(found, 20), request)
    other.is_offered(thing, after(found, 21))


def sent_without_permission(client: Client, thing: Thing, at: datetime) -> None:
    """A held offer is sent all the same: an incident. Then flag, and the next request is tainted: block."""
    request = answered(client, thing, at, [(thing, 2)])
    client.is_sent(client.is_offered(thing, after(at, 26), request))
    client.is_offered(thing, after(at, 50), request)
    held(client, thing, after(at, 340), [(thing, 2)])


def pushed(client: Client, bought: Thing, praised: Thing, at: datetime) -> None:
    """The firm praises staking, the client asks for it: block. What was asked for before is exposed since: flag."""
    request = answered(client, bought, at, [(bought, 2)])
    client.hears_from(after(at, 60), "marketing", "push", promotes=[praised])
    held(client, praised, after(at, 100), [(praised, 2)], "app")
    client.is_offered(bought, after(at, 106), request)


def replied(client: Client, thing: Thing, at: datetime) -> None:
    """A request that answers the firm's message is tainted: block. Asked anew, of own accord: allow."""
    notice = client.hears_from(after(at, -20), "service_notice", "app")
    request = client.asks_for(thing, at, "app", reply_to=notice)
    client.is_proven(request)
    client.is_offered(thing, after(at, 2), request)
    answered(client, thing, after(at, 75), [(thing, 2)], "chat")


def what_else(client: Client, thing: Thing, wish: Thing, at: datetime) -> None:
    """ "What else do you have?" asks for nothing: block. What the client then names, is asked for: allow."""
    request = answered(client, thing, at, [(thing, 2)])
    question = client.wonders(after(at, 3))
    client.is_offered(_ADVICE, after(at, 3.1), request, in_reply_to=question)
    answer = client.asks_for(wish, after(at, 4), "chat", reply_to=question)
    client.is_proven(answer)
    client.is_offered_and_sent(wish, after(at, 6), answer)


def narrowed(client: Client, thing: Thing, at: datetime) -> None:
    """In the audience: block. One person narrows it: block still. Two do: allow."""
    request = asks_with_proof(client, thing, at)
    client.is_offered(thing, after(at, 2), request)
    client.is_narrowed("north-cup", after(at, 3), second=REVIEW)
    client.is_offered(thing, after(at, 4), request)
    client.is_narrowed("north-cup", after(at, 6))
    client.is_offered_and_sent(thing, after(at, 8), request)


def proof_withdrawn(client: Client, thing: Thing, at: datetime, found: datetime) -> None:
    """Allowed; the record turns out to be another client's and is taken back: block, back to the first."""
    request = client.asks_for(thing, at, "call")
    record = client.is_proven(request)
    client.is_offered_and_sent(thing, after(at, 2), request)
    client.is_offered_and_sent(thing, after(at, 5), request)
    client.loses(record, found)


def complaint(client: Client, thing: Thing, at: datetime, filed: datetime) -> None:
    """Allowed; the client complains of a call before the request: flag, and once approved, block."""
    request = answered(client, thing, at, [(thing, 2)])
    called = stamp(after(at, -60))
    letter = client.paper(filed, "solicitation", "complaint", by="st-complaints", solicited_at=called)
    client.is_approved(letter, after(filed, 48))
    client.is_offered(thing, after(filed, 50), request)


def sister(client: Client, thing: Thing, at: datetime) -> None:
    """The authorised sister may offer what it is authorised for: allow; other services are as anyone's: block."""
    client.is_sent(client.is_offered(thing, at, by=SISTER))
    client.is_offered(_ADVICE, after(at, 2), by=SISTER)


def never_asked(client: Client, thing: Thing, at: datetime) -> None:
    """Nobody asked for anything: block, by mail and by push."""
    client.is_offered(thing, at)
    client.is_offered(thing, after(at, 150), channel="push")


def loosely_tied(client: Client, asked: Thing, named: Thing, at: datetime) -> None:
    """No asset was named, or no transaction: the first is a flag, the second a block."""
    request = asks_with_proof(client, asked, at, "call")
    client.is_offered(named, after(at, 2), request)
    client.is_offered(asked, after(at, 3))


def statement(client: Client, at: datetime) -> None:
    """The monthly statement, nothing but that: allow."""
    client.is_sent(client.is_offered(Thing("custody"), at, content="service_notice"))
