"""R1: where the provider is authorised in the Union for what is offered, the gate does not apply.

Law: MiCA Art. 59(1). Clock: the register at the offer's time; the end of an entry is outside it.
"""

from gate.facts import Fact, Proposed
from gate.outcome import Reason, Verdict
from gate.register import Register


def entity_is_authorised(register: Register, offer: Fact, said: Proposed) -> Reason | None:
    """Allow, and end, if the acting entity is authorised for the offer's service and every promoted one."""
    if said.by is None:
        return None  # The firm itself, whatever the register says of it.
    services = {said.service, *(t.service for t in said.promoted if t.service)}
    entries = register.authorised(said.by, services, offer.at)
    if not entries:
        return None
    sentence = f"`{said.by}` is authorised in the Union for {', '.join(sorted(services))}; the gate does not apply"
    return Reason("AUTHORISED_ENTITY", Verdict.ALLOW, sentence, (*entries, offer.id))
