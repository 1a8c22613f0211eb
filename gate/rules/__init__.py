"""One duty, one file; of steps 6-8 the order of judging stands here (judging section 2).

Steps 1-5 look at the offer and the client, in the order in which `gate.decision.decide` calls them; steps 6 and 8 judge
it against one scope, step 7 each thing of it beside what was asked for.
"""

from gate.rules.asset_named import asset_is_not_named
from gate.rules.asset_type import asset_is_new
from gate.rules.asset_unclassified import asset_is_unclassified
from gate.rules.audience import exposed_to_campaign
from gate.rules.contradiction import evidence_contradicts
from gate.rules.exposed_since import exposed_since_request
from gate.rules.personal import solicited_by_the_chain, solicited_by_the_firm
from gate.rules.product_type import product_is_new
from gate.rules.prompted import request_was_prompted
from gate.rules.question import Comparison, Question, Rule, TypeRule
from gate.rules.record import record_is_lacking
from gate.rules.transaction import outside_transaction
from gate.rules.unknown_promoter import promoter_is_unknown
from gate.rules.window import window_is_shut

AGAINST_SCOPE: tuple[Rule, ...] = (
    solicited_by_the_firm,
    solicited_by_the_chain,
    exposed_to_campaign,
    evidence_contradicts,
    promoter_is_unknown,
    exposed_since_request,
    request_was_prompted,
    record_is_lacking,
    window_is_shut,
    outside_transaction,
)
"""Steps 6 and 8."""
BESIDE_REQUEST: tuple[TypeRule, ...] = (
    product_is_new,
    asset_is_unclassified,
    asset_is_new,
    asset_is_not_named,
)
"""Step 7."""

__all__ = ["AGAINST_SCOPE", "BESIDE_REQUEST", "Comparison", "Question"]
