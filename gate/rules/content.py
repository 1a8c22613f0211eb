"""R17, R18: servicing, help with leaving and education pass; with promotion, link or contact form they are marketing.

Law: MiCA Art. 61(1); ESMA guideline 1, para. 17. No clock. A link never stops a way out.
"""

from typing import Final

from gate.facts import Fact, Proposed
from gate.outcome import Reason, Verdict

_PASSES: Final = {
    "service_notice": ("SERVICE_NOTICE", "a pure service notice: nothing is promoted, no link, no contact form"),
    "exit_help": ("EXIT_SERVICE", "help with leaving always passes"),
    "education": ("EDUCATION_ONLY", "education without promotion, link or contact form"),
}
_NAMED: Final = {"service_notice": "a service notice", "exit_help": "help with leaving", "education": "a lesson"}


def pure_content(offer: Fact, said: Proposed) -> Reason | None:
    """Allow, and end, a message that offers nothing."""
    if not said.pure:
        return None
    code, sentence = _PASSES[said.content]
    return Reason(code, Verdict.ALLOW, sentence, (offer.id,))


def mixed_content(offer: Fact, said: Proposed) -> Reason | None:
    """Flag what promotes under another name; block a lesson or notice that leads on with nothing to judge."""
    if said.content == "offer" or said.pure:
        return None
    word = _NAMED[said.content]
    if said.promotes:
        return Reason("MIXED_CONTENT", Verdict.FLAG, f"{word} that promotes something is marketing", (offer.id,))
    carrier = "link" if said.link else "contact form"
    return Reason("MIXED_CONTENT", Verdict.BLOCK, f"{word} with a {carrier} is marketing", (offer.id,))
