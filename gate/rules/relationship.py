"""R21: a suspended or ending relationship gets no offers.

Law: MiCA Art. 59(1); ESMA75-113276571-1710. Clock: event time of the change. A closed double closes nobody else.
"""

from gate.dossier import Dossier
from gate.facts import STRICTNESS
from gate.outcome import SHOWN_FACTS, Reason, Verdict


def relationship_is_ending(dossier: Dossier) -> Reason | None:
    """Block under the strictest relationship of all who are the same person."""
    states = [(dossier.own.state, dossier.own.state_facts)]
    states += [(r.state, r.state_facts) for r in dossier.kin.values() if r.state != "closed"]
    state, facts = max(states, key=lambda s: STRICTNESS[s[0]])
    if state == "exempt":
        return None
    code = "SUSPENDED" if state == "suspended" else "EXIT_ONLY"
    sentence = f"the relationship is {state.replace('_', ' ')}: no offers, servicing and exit only"
    return Reason(code, Verdict.BLOCK, sentence, tuple(facts[:SHOWN_FACTS]))
