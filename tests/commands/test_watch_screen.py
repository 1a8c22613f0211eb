"""The screen of `gate61 watch` as somebody sits before it: what is seen, and what each key does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from queue import Queue
from typing import Any

import pytest
from textual.pilot import Pilot

from gate.policy import HOUR
from streams.watch.answers import Flagged, Wanted
from streams.watch.following import Follower
from streams.watch.queue import Queue as Standing
from streams.watch.queue import Shown
from streams.watch.rows import columns
from streams.watch.screen import LOOK_SECONDS, NOT_KNOWN, WatchScreen
from streams.watch.sources import Arrived, CaughtUp, News
from streams.watch.views import Remark
from tests.commands.test_watch import EVIL, NOW, flagged
from tests.commands.test_watch import _evil as evil

SCOPE = {
    "service": "exchange_funds",
    "asset": "btc",
    "opened_at": "2026-03-02T09:00:00Z",
    "soft_until": "2026-03-03T09:00:00Z",
    "hard_until": "2026-03-02T13:20:00Z",
    "state": "open",
}
WINDOW = {"code": "WINDOW_SOFT_LIMIT", "said": "a person decides", "verdict": "flag", "law": "MiCA Art. 61(2)"}


def held(decision: str, **changed: Any) -> Flagged:
    """An answer that holds an offer within its window."""
    told = {"verdict": "flag", "leading": "WINDOW_SOFT_LIMIT", "reasons": [{**WINDOW, "facts": ["asked-1"]}]}
    return flagged(decision=decision, **{**told, "scope": SCOPE, "offer": f"of-{decision}", **changed})


class Sitting:
    """Somebody before the screen."""

    def __init__(self, app: WatchScreen, pilot: Pilot[None], news: "Queue[News]") -> None:
        self.app, self.pilot, self.news = app, pilot, news
        self.now = NOW

    async def comes(self, *news: News) -> None:
        """What the source says, and a look at it."""
        for each in news:
            self.news.put(each)
        while not self.news.empty():
            await self.pilot.pause(LOOK_SECONDS)
        await self.pilot.pause(2 * LOOK_SECONDS)

    async def press(self, *keys: str) -> None:
        """Keys."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    @property
    def lines(self) -> list[str]:
        """All that is on the terminal."""
        return ["".join(s.text for s in strip).rstrip() for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def offers(self) -> list[str]:
        """Of the answers on the list, from above."""
        return [f.offer for f in self.app.query_one("#rows")._rows]  # type: ignore[attr-defined]

    @property
    def chosen(self) -> str:
        """The offer that the cursor is on."""
        found: Flagged | None = self.app.query_one("#rows").chosen  # type: ignore[attr-defined]
        return found.offer if found else ""


@asynccontextmanager
async def sitting(
    *news: News, size: tuple[int, int] = (160, 40), unknown: bool = False, **more: Any
) -> AsyncIterator[Sitting]:
    """The screen, with what has come already; `unknown`: and more may be there."""
    mail: Queue[News] = Queue()
    clock = {"now": NOW}
    app = WatchScreen("flagged", more.pop("wanted", Wanted()), mail, lambda: clock["now"], **more)
    async with app.run_test(size=size) as pilot:
        seat = Sitting(app, pilot, mail)
        seat.clock = clock  # type: ignore[attr-defined]
        await seat.comes(*news, *(() if unknown else (CaughtUp(),)))
        yield seat


BLOCKED = flagged(decision="b", offer="of-b", recorded_at="2026-03-02T09:59:00Z")
TWO = (BLOCKED, held("h"))


async def test_the_queue_and_the_answer_in_full() -> None:
    """Held before blocked; age, reason, client, country, what is left; reasons with law, facts and remedy."""
    async with sitting(*TWO) as seat:
        assert seat.offers == ["of-h", "of-b"] and seat.chosen == "of-h"
        assert "1 held, 1 blocked" in seat.lines[0]
        row = next(line for line in seat.lines if "held " in line and "WINDOW_SOFT_LIMIT" in line)
        for part in ("2 min", "anna", "DE,SG", "3 h 20 min left", "exchange_funds", "of-h", "a person decides"):
            assert part in row
        for part in ("HELD  offer of-h to anna", "MiCA Art. 61(2)", "asked-1", "hard limit 2026-03-02T13:20:00Z"):
            assert part in seat.text
        assert "The client would have had to ask again himself" in seat.text
        await seat.press("j")
        assert seat.chosen == "of-b" and "BLOCKED  offer of-b" in seat.text and "nobody asked" in seat.text


async def test_what_comes_is_seen_and_ages_go_on() -> None:
    """Live: the cursor stays on its answer."""
    async with sitting(held("old", recorded_at="2026-03-02T08:00:00Z")) as seat:
        await seat.comes(held("new"), held("new"))
        assert seat.offers == ["of-new", "of-old"] and seat.chosen == "of-old"
        seat.clock["now"] = NOW + 5 * HOUR  # type: ignore[attr-defined]
        await seat.comes()
        assert "5 h 2 min" in seat.text and "shut" in seat.text


class Stray:
    """A source that holds one record of somebody else's, and then is read to its end."""

    def __init__(self) -> None:
        self.caught_up = False
        self._left = [Arrived(b"hello", "record 0:7 of `flagged`")]

    def poll(self, seconds: float) -> list[Arrived]:
        found, self._left = self._left, []
        self.caught_up = not found
        return found

    def close(self) -> None:
        """Nothing is held."""


async def test_what_is_remarked_keeps_nobody_from_knowing_what_is_held() -> None:
    """A record of somebody else's is told, among what left the list; only trouble makes what is held unknown, until over."""
    news: Queue[News] = Queue()
    follower = Follower(lambda tell: Stray(), news)
    follower.start()
    came: list[News] = [news.get(timeout=10), news.get(timeout=10)]
    follower.stop()
    assert isinstance(came[0], Remark) and isinstance(came[1], CaughtUp)
    async with sitting(held("h"), *came, unknown=True) as seat:
        assert "1 held, 0 blocked" in seat.lines[0] and "record 0:7 of `flagged` is no answer of the gate" in seat.text
        await seat.comes("Kafka does not answer")
        assert NOT_KNOWN in seat.lines[0]
        await seat.comes(None)
        assert "1 held, 0 blocked" in seat.lines[0]


async def test_released_and_superseded_answers_leave_and_are_told() -> None:
    """Nobody is left looking at an answer that no longer stands."""
    async with sitting(*TWO, held("other")) as seat:
        release = {"may_send": True, "leading": "RELEASED", "send_by": "2026-03-02T12:00:00Z"}
        await seat.comes(held("r", supersedes="h", offer="of-h", **release))
        assert seat.offers == ["of-other", "of-b"]
        assert "released: offer of-h to anna, send by 2026-03-02T12:00:00Z" in seat.text
        await seat.comes(flagged(decision="later", offer="of-other", supersedes="other"))
        assert sorted(seat.offers) == ["of-b", "of-other"] and "0 held, 2 blocked" in seat.lines[0]
        told = "superseded: offer of-other to anna was held WINDOW_SOFT_LIMIT, is blocked NEW_SERVICE_TYPE"
        assert told in seat.text
        await seat.comes(held("taken-back", supersedes="r", offer="of-h"))
        assert "of-h" in seat.offers


async def test_keys_move_through_the_list() -> None:
    """j, k, arrows, first and last, pages; Enter reads, Escape comes back; a click chooses."""
    many = [held(f"{n:03}", recorded_at=f"2026-03-02T09:{59 - n // 60:02}:{59 - n % 60:02}Z") for n in range(300)]
    async with sitting(*many) as seat:
        seen = []
        for keys in (["j", "down"], ["k"], ["G"], ["k", "up"], ["g"], ["k"], ["pagedown"], ["end", "j"], ["home"]):
            await seat.press(*keys)
            seen.append(seat.chosen)
        assert seen[:6] == ["of-002", "of-001", "of-299", "of-297", "of-000", "of-000"]
        assert 5 < int(seen[6][3:]) < 40 and seen[7:] == ["of-299", "of-000"]
        await seat.press("G")
        assert "of-299" in seat.text and "of-000" not in seat.text
        await seat.press("enter")
        assert seat.app.focused is not None and seat.app.focused.id == "detail"
        await seat.press("escape")
        assert seat.app.focused is not None and seat.app.focused.id == "rows"
        await seat.press("g")
        await seat.pilot.click("#rows", offset=(5, 3))
        assert seat.chosen == "of-003"


async def test_filters_by_key() -> None:
    """Words, reason, country, state; all of them must agree; x takes them away."""
    french = held("f", client="ben", countries=["FR"])
    nowhere = flagged(decision="n", offer="of-n", client="zoe", countries=[])
    async with sitting(*TWO, french, nowhere) as seat:
        await seat.press("slash", *"ben", "enter")
        assert seat.offers == ["of-f"] and "1 shown: words `ben`" in seat.lines[0]
        await seat.press("slash", "escape")
        assert len(seat.offers) == 4
        await seat.press("c")
        assert "2  DE" in seat.text and "1  NONE" in seat.text
        await seat.press("j", "j", "j", "j", "enter")
        assert seat.offers == ["of-n"] and "country NONE" in seat.lines[0]
        await seat.press("c", "enter")
        assert len(seat.offers) == 4
        await seat.press("r", "j", "enter")
        assert "reason LOCATION_UNKNOWN" in seat.lines[0] and sorted(seat.offers) == ["of-b", "of-n"]
        await seat.press("s")
        assert seat.offers == [] and "nothing of the queue is shown" in seat.text
        await seat.press("s")
        assert sorted(seat.offers) == ["of-b", "of-n"]
        await seat.press("x")
        assert len(seat.offers) == 4 and "shown" not in seat.lines[0]


async def test_filters_of_the_command_hold_and_can_be_changed() -> None:
    """As the options say, until a key says otherwise."""
    wanted = Wanted(reasons=frozenset({"WINDOW_SOFT_LIMIT"}), countries=frozenset({"FR"}))
    async with sitting(*TWO, held("f", countries=["FR"]), wanted=wanted) as seat:
        assert seat.offers == ["of-f"]
        await seat.press("c", "enter")
        assert sorted(seat.offers) == ["of-f", "of-h"]


async def test_trouble_is_said_until_it_is_over() -> None:
    """The list stays as it was."""
    async with sitting(*TWO, "Kafka does not answer; waiting") as seat:
        assert "Kafka does not answer; waiting" in seat.text and len(seat.offers) == 2
        assert "not known yet" in seat.lines[0] and "1 held" not in seat.text
        await seat.comes(None)
        assert "does not answer" not in seat.text and "1 held, 1 blocked" in seat.lines[0]


async def test_nothing_is_counted_before_all_was_read() -> None:
    """That nothing is held would be believed."""
    async with sitting(unknown=True) as seat:
        assert "not known yet" in seat.lines[0]
        assert "0 held" not in seat.text and "nothing is held" not in seat.text
        await seat.comes(CaughtUp())
        assert "0 held, 0 blocked" in seat.lines[0] and "nothing is held or blocked" in seat.text


async def test_text_of_others_is_shown_as_it_is() -> None:
    """Markup, scripts, escape sequences and what turns the reading order: nothing of it works, all of it is seen."""
    script = "<script>alert(1)</script>"
    hostile = held(
        "x", client=script, countries=["[b]DE[/b]"], scope={**SCOPE, "service": "[link=a]b[/link]", "asset": EVIL}
    )
    async with sitting(evil(), hostile, EVIL, size=(300, 60)) as seat:
        assert script in seat.text and "[link=a]b[/link], asset [red]" in seat.text
        for _ in range(2):
            assert all(c.isprintable() for line in seat.lines for c in line)
            assert "[red]\\x1b[2J\\u202e" in seat.text and script[:16] in seat.text and "[b]DE[/b" in seat.text
            assert "\\nanswered" not in seat.text and "\\nlaw" not in seat.text
            await seat.press("j")
        await seat.press("c")
        assert "[b]DE[/b]" in seat.text and "[red]\\x1b[2J" in seat.text
        await seat.press("escape", "slash", *"[red]", "enter")
        assert "words `[red]`" in seat.lines[0]
        await seat.comes(held("y", supersedes="x", offer=EVIL, may_send=True))
        assert all(c.isprintable() for line in seat.lines for c in line)


async def test_light_dark_and_help() -> None:
    """Both themes; the keys are listed; every way out closes it."""
    async with sitting(*TWO, light=True) as seat:
        assert not seat.app.current_theme.dark
        await seat.press("t")
        assert seat.app.current_theme.dark
        await seat.press("question_mark")
        assert "only those with one reason" in seat.text
        await seat.press("q")
        assert "only those with one reason" not in seat.text and seat.app.is_running
        await seat.press("q")
    assert seat.app.return_code == 0


@pytest.mark.parametrize("width", [60, 80, 100, 200])
async def test_narrow_and_wide_terminals(width: int) -> None:
    """What matters most has room first."""
    assert columns(width)[:4] == ["answer", "age", "reason", "client"]
    assert len(columns(width)) == {60: 4, 80: 4, 100: 5, 200: 8}[width]
    async with sitting(*TWO, held("w", client="会" * 40), size=(width, 24)) as seat:
        assert max(map(len, seat.lines)) <= width and "WINDOW_SOFT_LIMIT" in seat.text
        assert "help" in seat.lines[-1] and "quit" in seat.lines[-1]


async def test_what_waiting_does_not_help_ends_it() -> None:
    """It is said after the screen is gone."""
    async with sitting(*TWO) as seat:
        trouble = PermissionError("no rights")
        await seat.comes(trouble)
    assert seat.app.failed is trouble and not seat.app.is_running


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the terminal's own colours are left."""
    assert not WatchScreen("s", Wanted(), Queue(), lambda: NOW).native_ansi_color
    monkeypatch.setenv("NO_COLOR", "1")
    assert WatchScreen("s", Wanted(), Queue(), lambda: NOW).native_ansi_color


def test_the_list_is_bounded_and_counts_what_fell_off() -> None:
    """The last in its order go: blocked ones, the oldest."""
    queue = Standing(kept=2)
    for minute in range(4):
        queue.take(flagged(decision=f"b{minute}", recorded_at=f"2026-03-02T09:0{minute}:00Z"))
    queue.take(held("h", recorded_at="2026-03-02T08:00:00Z"))
    assert ([f.decision for f in queue], queue.dropped, len(queue)) == (["h", "b3"], 3, 2)


def test_what_was_replaced_before_it_came_is_not_listed() -> None:
    """Where reading began between the two."""
    queue = Standing()
    assert "its earlier answer" in queue.take(held("new", supersedes="old"))
    assert queue.take(held("old")) == "" and [f.decision for f in queue] == ["new"]


def test_words_look_everywhere() -> None:
    """Every word, in any case."""
    assert Shown(words="ANNA window_soft").takes(held("h")) and Shown(words="exchange sg").takes(held("h"))
    assert not Shown(words="anna bert").takes(held("h"))


def test_a_long_queue_is_quick() -> None:
    """10,000 answers are taken and filtered within what a person does not notice."""
    from time import perf_counter

    answers = [held(f"{n:05}") for n in range(10_000)]
    queue, began = Standing(), perf_counter()
    for answer in answers:
        queue.take(answer)
    assert perf_counter() - began < 2
    began = perf_counter()
    assert len(queue.seen(Shown(Wanted(countries=frozenset({"DE"})), words="anna"))) == 10_000
    assert perf_counter() - began < 1
