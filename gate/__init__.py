"""The law as pure functions: facts in, answers out. No clock, network, environment or log."""

from gate.arrival import HISTORY_NEEDED, step
from gate.decision import decide
from gate.effects import Answer, Case, Deadline, Greeting, Notice, Step
from gate.facts import Fact
from gate.known import Known
from gate.outcome import Outcome, Reason, Verdict
from gate.policy import Policy
from gate.register import Register

__all__ = [
    "HISTORY_NEEDED",
    "Answer",
    "Case",
    "Deadline",
    "Fact",
    "Greeting",
    "Known",
    "Notice",
    "Outcome",
    "Policy",
    "Reason",
    "Register",
    "Step",
    "Verdict",
    "decide",
    "step",
]
