"""Metrics of an embedded gate (Prometheus): those of every gate, and of what it is asked."""

from collections.abc import Iterable

from streams.counting import Became, Judged
from streams.serve.intake import Portion
from streams.web import metrics

_BECAME: dict[str, Became] = {"taken": "taken", "duplicate": "repeated", "rejected": "rejected"}
"""In the words of every gate what an answer over HTTP says."""


class Metrics(metrics.Metrics):
    """Everything that an embedded gate counts."""

    def __init__(self) -> None:
        super().__init__()
        self._judged = Judged(self.registry)

    def did(self, portion: Portion) -> None:
        """Events came with a request, and answers out, also behind a change of the register."""
        for result in portion.results:
            self._judged.came(_BECAME[result.status], result.reason or "")
            self._answered(result.answers)
        self._answered(portion.answers)

    def _answered(self, answers: Iterable[tuple[str, str]]) -> None:
        for verdict, leading in answers:
            self._judged.answered(verdict, leading)
