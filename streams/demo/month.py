"""March 2026 at Harbour Lane: some forty clients, a register, and a few lines that cannot be read.

`month()` yields the events in order of arrival, one JSON line each; `python -m streams.demo.month` writes them to
`PATH`. Seeded and without a clock: the same lines every time. A decision id, which only the gate knows, stands as
`@decision:EVENT#N`, the N-th answer to that offer event; who plays the month fills it in.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from random import Random

from streams.demo import PATH, recipes
from streams.demo.client import Client, Thing
from streams.demo.diary import HOUSE, Diary, february, march
from streams.demo.house import AFFILIATE, INFLUENCER, NEWSPAPER, PAYMENTS, open_register, register_influencer
from streams.demo.recipes import after, answered, held

SEED = 61

BTC, LTC, ETH = (Thing("exchange_funds", asset) for asset in ("btc", "ltc", "eth"))
USD, EUR = Thing("exchange_funds", "hlusd"), Thing("exchange_funds", "hleur")
SWAP_BTC, SWAP_LTC = Thing("exchange_crypto", "btc"), Thing("exchange_crypto", "ltc")
ORDER_BTC, ORDER_ETH = Thing("execution", "btc"), Thing("execution", "eth")
KEEP_BTC, KEEP_ETH = Thing("custody", "btc"), Thing("custody", "eth")
STAKING = KEEP_ETH._replace(product="staking")
MANDATE, ADVICE = Thing("portfolio_management"), Thing("advice")


class Book:
    """The clients of the month and the diary that their events go to."""

    def __init__(self) -> None:
        self.diary = Diary()
        self.random = Random(SEED)
        self._clients: dict[str, Client] = {}

    def client(self, number: str, *countries: str) -> Client:
        """A client who signed up in February and lives in these countries."""
        client = Client(f"cl-{number}", self.diary, self.random)
        at = february(self.random.randint(2, 26), self.random.randint(7, 18), self.random.randrange(60))
        client.arrives(at)
        for country, indicator in zip(countries, ("kyc_residence", "ip"), strict=False):
            client.is_located(country, after(at, 0.2), indicator)
        self._clients[number] = client
        return client

    def again(self, number: str) -> Client:
        """A client we met before."""
        return self._clients[number]

    def time(self, day: int, hour: int) -> datetime:
        """Some minute of that hour."""
        return march(day, hour, self.random.randrange(60))


def month() -> Iterator[str]:
    """The lines of the month, without line ends, in order of arrival."""
    book = Book()
    open_register(book.diary)
    for chapter in CHAPTERS:
        chapter(book)
    _statements(book)
    _unreadable(book)
    yield from book.diary.lines()


def _regulars(book: Book) -> None:
    """Clients who ask and are answered on the day; what follows days later is held, or comes too late."""
    for number, country, day, channel, offers, late in (
        ("0a17", "DE", 2, "email", ((BTC, 2), (LTC, 5)), (2, 5)),
        ("0b42", "NL", 4, "web", ((ETH, 1), (ETH, 7)), (3,)),
        ("11c9", "SE", 5, "app", ((SWAP_BTC, 1), (SWAP_LTC, 6)), (4, 12)),
        ("22f5", "DK", 10, "app", ((USD, 1), (USD, 20)), (2, 11)),
        ("31be", "PL", 17, "letter", ((EUR, 4), (EUR, 9)), (2,)),
        ("38d1", "CZ", 19, "call", ((ORDER_BTC, 2), (ORDER_BTC, 8)), (1, 3, 10)),
        ("4c66", "NO", 25, "call", ((MANDATE, 3),), (2, 4)),
    ):
        request = answered(book.client(number, country), offers[0][0], book.time(day, 9), offers, channel)
        for days in late:
            book.again(number).is_offered(offers[-1][0], after(request.at, 24 * days + 3), request)
    reader = book.client("5109", "LU")
    reader.arrives(march(1, 8), "link", via=NEWSPAPER)
    answered(reader, BTC, book.time(6, 10), [(BTC, 2), (LTC, 7)])


def _returning(book: Book) -> None:
    """Clients who ask again when what they were sent no longer prompts them, and one whose plan runs on."""
    for number, country, day, thing in (("52e7", "EE", 2, BTC), ("5ab3", "BE", 3, ETH)):
        client = book.client(number, country)
        answered(client, thing, book.time(day, 10), [(thing, 2)])
        answered(client, thing, book.time(day + 14, 10), [(thing, 1), (thing, 5)], "app")
    recipes.recurring(book.client("6471", "LV"), BTC, book.time(3, 8))


def _windows(book: Book) -> None:
    """What the hours and days do to an offer."""
    recipes.lapsing(book.client("6b20", "NL"), BTC, march(1, 9), LTC)
    recipes.lapsing(book.client("7710", "DE"), SWAP_LTC, book.time(11, 13), SWAP_BTC)
    recipes.released(book.client("7845", "AT"), BTC, book.time(10, 9))
    taken_back = book.client("7f0d", "SI")
    recipes.released(taken_back, ORDER_BTC, book.time(17, 9))
    taken_back.was_referred(march(15, 12), AFFILIATE, known=march(30, 8))
    recipes.signed_by_one(book.again("0b42"), BTC, book.time(16, 9))
    recipes.loosely_tied(book.again("11c9"), Thing("custody"), KEEP_ETH, book.time(18, 10))


def _types(book: Book) -> None:
    """What is not of the type that was asked for."""
    recipes.new_product(book.client("8e3b", "PL"), KEEP_ETH, book.time(5, 9))
    recipes.not_released(book.client("93c1", "RO"), BTC, ADVICE, book.time(6, 11))
    recipes.unclassified_released(book.client("9a5e", "HR"), book.time(13, 9))
    recipes.unassessed(book.client("9f77", "SE"), book.time(12, 10))
    held(book.client("a018", "DE"), USD, book.time(16, 9), [(EUR, 2), (Thing("exchange_funds", "isle"), 3)])
    odd = [(ORDER_ETH._replace(asset=asset), 3.0) for asset in ("reef", "lane-note", "pier-badge")]
    held(book.client("a93d", "FI"), ORDER_ETH, book.time(20, 9), odd)


def _campaigns(book: Book) -> None:
    """The cup of France and Spain, the feature for Ireland, the advertising kept out of Malta, or only said so."""
    fan = book.client("fa02", "ES")
    before = answered(fan, BTC, march(16, 10), [(BTC, 2)])
    fan.is_offered(LTC, march(16, 20), before)
    fan.is_offered(BTC, march(18, 11), before)
    held(book.client("fa03", "FR"), SWAP_BTC, book.time(19, 9), [(SWAP_BTC, 2), (SWAP_LTC, 4)])
    recipes.narrowed(book.client("fa04", "ES"), BTC, book.time(20, 9))
    saver = book.client("b1e0", "IE")
    feature, _ = held(saver, EUR, book.time(10, 9), [(EUR, 2), (EUR, 6)], "app")
    saver.stays_held(feature, after(feature.at, 3), "counsel is asked about the feature")
    blocked_out = book.client("b20c", "MT")
    (island,) = held(blocked_out, BTC, book.time(11, 9), [(BTC, 2)])
    blocked_out.is_released(island, after(island.at, 1), "the block by network address was tested")
    blocked_out.is_sent(island, seconds=7200)
    held(book.client("b3f8", "CY"), BTC, book.time(13, 9), [(BTC, 2)])


def _partners(book: Book) -> None:
    """Who else brought the client, and when the firm learned of it."""
    recipes.late_file(book.client("63aa", "SE"), BTC, book.time(6, 8))
    recipes.late_file(book.client("b7d9", "IT"), SWAP_BTC, book.time(20, 8))
    recipes.via(book.client("ba31", "PT"), INFLUENCER, BTC, book.time(9, 9))
    register_influencer(book.diary, march(26, 10))
    recipes.via(book.client("be45", "NL"), PAYMENTS, EUR, book.time(12, 9))
    recipes.one_person(book.client("88a0", "IT"), book.client("88b7", "IT"), BTC, book.time(18, 9), march(24, 9))


def _proofs(book: Book) -> None:
    """What shows that the client came of own accord, and what does not."""
    recipes.box_ticked(book.client("c07a", "DE"), BTC, book.time(3, 13))
    recipes.nothing_filed(book.client("c2d5", "LU"), ETH, book.time(5, 8))
    recipes.approved_by_filer(book.client("c610", "DK"), KEEP_BTC, book.time(9, 8))
    recipes.half_searched(book.again("22f5"), BTC, book.time(24, 9))
    recipes.proof_withdrawn(book.client("cb92", "PL"), BTC, book.time(17, 9), march(27, 11))
    recipes.complaint(book.client("cd0e", "GR"), BTC, book.time(5, 9), march(10, 15))
    recipes.never_asked(book.client("d14b", "LI"), MANDATE, book.time(4, 15))


def _places(book: Book) -> None:
    """Where clients live, and who makes the offer."""
    recipes.outside(book.client("d59f", "SG", "SG"), ETH, book.time(10, 9))
    recipes.travelling(book.client("d8a2", "SG", "SG"), BTC, book.time(17, 9))
    recipes.nowhere(book.client("dd60"), SWAP_BTC, book.time(19, 9))
    recipes.sister(book.client("e1b4", "NL"), KEEP_BTC, book.time(11, 9))


def _conversations(book: Book) -> None:
    """What the firm says, and what the client answers."""
    recipes.statement_with_banner(book.client("e3d8", "FI"), BTC, book.time(4, 9))
    recipes.lesson(book.again("5109"), BTC, book.time(24, 9))
    recipes.winding_down(book.client("e7c3", "BG"), BTC, book.time(9, 9))
    recipes.sent_without_permission(book.client("ea96", "SK"), BTC, book.time(5, 9))
    recipes.pushed(book.client("91d7", "DK"), BTC, STAKING, book.time(12, 9))
    recipes.replied(book.client("ef21", "LV"), BTC, book.time(19, 9))
    recipes.what_else(book.again("31be"), BTC, Thing("transfer", "eth"), book.time(23, 9))


CHAPTERS = (
    _regulars, _returning, _windows, _types, _campaigns, _partners, _proofs, _places, _conversations,
)  # fmt: skip


def _statements(book: Book) -> None:
    """On the last day some get their statements, whether they were solicited, are leaving, or neither."""
    for minute, number in enumerate(("0a17", "63aa", "e7c3")):
        recipes.statement(book.again(number), march(31, 7, minute))


def _unreadable(book: Book) -> None:
    """A line that arrives twice, which is no harm; then a torn one, and three that break the contract."""
    client = book.again("0a17")
    event = _raw(client, "client.located", "kyc/locations", "loc-0a17-sim", {"indicator": "sim", "country": "DE"})
    moved = event | {"data": {"indicator": "sim", "country": "US"}}
    nameless = {"offer": "of-nameless", "asset": "btc", "channel": "email", "content": "offer"}
    offer = _raw(client, "offer.proposed", "offers/outbox", "prop-0a17-nameless", nameless)
    push = {"by": "harbour-lane", "means": "push", "content": "marketing"}
    zoneless = _raw(client, "firm.contacted", "marketing/sends", "send-0a17-zoneless", push)
    lines = [json.dumps(event), json.dumps(event), json.dumps(moved), json.dumps(offer)]
    lines += [json.dumps(zoneless | {"time": "2026-03-30T15:00:00"}), json.dumps(zoneless)[:100]]
    for minute, line in enumerate(lines):
        book.diary.put(march(30, 15, minute), line)
    answered(client, BTC, march(30, 16), [(BTC, 2)])


def _raw(client: Client, name: str, path: str, event: str, data: dict[str, str]) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": event,
        "source": HOUSE + path,
        "type": f"gate61.{name}.v1",
        "subject": client.reference,
        "time": "2026-03-30T15:00:00Z",
        "datacontenttype": "application/json",
        "data": data,
    }


def main() -> None:
    """Write the month next to this file."""
    PATH.write_text("".join(f"{line}\n" for line in month()), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
