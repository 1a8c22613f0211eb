"""The readable account of the month: what was allowed, held, blocked and why, and which answers were superseded."""

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gate.effects import Answer, Case
from gate.instants import text
from gate.law import DUTIES
from gate.policy import DAY, HOUR, Policy
from state import MemoryStore
from streams.border.wire import Rejected
from streams.demo import PATH, filled
from streams.embedded import Gate

_WORDS = {"allow": "allowed", "flag": "held", "block": "blocked"}


class Month:
    """What the gate made of the shipped month."""

    def __init__(self, policy: Policy, said: Callable[[bytes], object] = lambda line: None) -> None:
        """`said` is called with each event that comes out, as `decide` writes it."""
        self._said = said
        self.answers: dict[tuple[str, str], list[Answer]] = {}
        self.cases: list[Case] = []
        self.rejects: list[tuple[int, Rejected]] = []
        self.events = 0
        self.unreadable = 0
        self._by_id: dict[str, list[str]] = defaultdict(list)
        self._gate = Gate(policy, MemoryStore())
        for number, line in enumerate(PATH.read_bytes().splitlines(), 1):
            self._play(number, filled(line, self._by_id))

    def _play(self, number: int, line: bytes) -> None:
        self.events += 1
        taken = self._gate.take(line)
        if isinstance(taken, Rejected):
            self.rejects.append((number, taken))
            answer = self._gate.answer_to_reject(taken, line)
            if answer is not None:
                self.unreadable += 1
                self._said(answer)
            return
        for effect in taken:
            self._said(self._gate.line_of(effect))
            if isinstance(effect, Answer):
                self.answers.setdefault(effect.offer.key, []).append(effect)
                self._by_id[effect.offer.id].append(effect.standing.decision)
            elif isinstance(effect, Case):
                self.cases.append(effect)


def tell(policy: Policy, console: Console) -> None:
    """Play the month and print the account."""
    month = Month(policy)
    first = [answers[0] for answers in month.answers.values()]
    clients = {a.offer.client for a in first}
    console.print(
        Text.assemble("\n", ("A month at Harbour Lane", "bold"), ", a fictional crypto platform outside the Union.")
    )
    console.print(
        f"{month.events} events came in; {len(first)} offers to {len(clients)} clients were asked about before they were"
        f" sent. Policy {policy.version}: {policy.soft_limit // HOUR} hours without a person,"
        f" {policy.hard_limit // DAY} days at the most.\n"
    )
    console.print(_verdicts(first))
    console.print(_reasons(first))
    console.print(_superseded(month))
    console.print(_cases(month))
    console.print(_rejects(month))
    console.print("Held offers wait for two people; blocked ones may not be sent. No answer was ever edited:")
    console.print("a late fact makes a new answer that names the one it replaces.\n")


def _verdicts(answers: list[Answer]) -> Table:
    table = Table(title="What was answered", title_justify="left")
    table.add_column("answer")
    table.add_column("offers", justify="right")
    table.add_column("an example, in the gate's words")
    for word, plain in _WORDS.items():
        of = [a for a in answers if a.outcome.verdict.word == word]
        if of:
            table.add_row(plain, str(len(of)), f"{of[0].offer.client}: {of[0].outcome.reasons[0].said}")
    return table


def _reasons(answers: list[Answer]) -> Table:
    table = Table(title="Why: the leading reasons", title_justify="left")
    for name in ("answer", "reason", "offers", "law"):
        table.add_column(name, justify="right" if name == "offers" else "left")
    counted = Counter((a.outcome.verdict, a.outcome.leading) for a in answers)

    for (verdict, code), count in sorted(counted.items(), key=lambda c: (c[0][0], -c[1], c[0][1])):
        table.add_row(_WORDS[verdict.word], code, str(count), DUTIES[code].law)
    return table


def _superseded(month: Month) -> Table:
    table = Table(title="Earlier answers that were superseded, or released by two people", title_justify="left")
    for name in ("client", "offer", "was", "became", "because of", "known since"):
        table.add_column(name)
    for answers in month.answers.values():
        for before, after in pairwise(answers):
            because = after.because.id if after.because else ""
            became = "released" if after.standing.may_send else _WORDS[after.outcome.verdict.word]
            table.add_row(
                after.offer.client,
                after.standing.offer,
                f"{_WORDS[before.outcome.verdict.word]} ({before.outcome.leading})",
                f"{became} ({after.outcome.leading})",
                because,
                text(after.recorded),
            )
    return table


def _cases(month: Month) -> Table:
    table = Table(title="Cases that a person must look at", title_justify="left")
    for name in ("why", "cases", "for example"):
        table.add_column(name, justify="right" if name == "cases" else "left")
    grouped: dict[str, list[Case]] = defaultdict(list)
    for case in month.cases:
        grouped[case.why].append(case)
    for why, cases in sorted(grouped.items()):
        table.add_row(why, str(len(cases)), cases[0].said)
    return table


def _rejects(month: Month) -> Table:
    table = Table(title="Lines that could not be taken; each is kept, byte for byte", title_justify="left")
    for name in ("line", "reason", "what is wrong"):
        table.add_column(name)
    for number, reject in month.rejects:
        table.add_row(str(number), reject.reason, reject.message)
    if month.unreadable:
        table.caption = f"{month.unreadable} of them was an offer whose client could be read: answered, blocked"
    return table
