"""What would have had to be different: for each reason code of `gate.law` one sentence for the person who decides.

Source: judging sections 3, 5 and 7. A remedy says what the answer hung on; no one may be told to arrange it backwards.
"""

from typing import Final

_RECORD: Final = "a record of how the client asked (his message, a call, a letter or the session's log)"
_NO_CURE: Final = "asking again does not mend it"
_OWN: Final = "unprompted and of his own accord, as an approved record shows"
_PASS: Final = "only two people can make it milder, while pure notices, lessons and help to leave pass all the same"

REMEDIES: Final[dict[str, str]] = {
    "RELEASED": "Nothing: two people have let it go until the time that they set; a new adverse fact takes it back.",
    "AUTHORISED_ENTITY": "Nothing: whoever provides it is authorised in the Union for all that is offered.",
    "OUT_OF_TERRITORY": "Nothing: no live indicator puts the client in a country in scope, and a strong one puts him "
    "outside.",
    "LOCATION_UNKNOWN": "A strong indicator (residence, registered office or tax residence) would have had to say where "
    "the client is.",
    "LOCATION_CONFLICT": "The weak indicators of a country in scope (such as address on the network, SIM or bank "
    "account) would have had to lapse, or be replaced by ones outside, before the offer.",
    "OTHER_REGIME": "Nothing offered or promoted may be a financial instrument or a deposit; those fall under other "
    "law, and the gate lets none pass.",
    "OUT_OF_SCOPE_NFT": "Nothing offered or promoted may be a unique token; those fall outside this law, and the gate "
    "lets none pass.",
    "SERVICE_NOTICE": "Nothing: a service notice that promotes nothing always passes.",
    "EXIT_SERVICE": "Nothing: help to leave that promotes nothing always passes.",
    "EDUCATION_ONLY": "Nothing: a lesson that promotes nothing always passes.",
    "MIXED_CONTENT": "The message would have had to promote nothing and, unless it only helps to leave, neither link to "
    "sign-up, products or marketing nor ask for contact details.",
    "EXIT_ONLY": f"The relationship would have had to be neither exit-only nor closed; {_PASS}.",
    "SUSPENDED": f"The relationship would have had to be not suspended; {_PASS}.",
    "INITIATION_UNKNOWN": f"The client would have had to ask for {{covered}} before the offer, {_OWN}.",
    "INITIATION_SOLICITED": "The client would have had to ask before the firm itself sent him any marketing, or "
    f"anything else that solicits; {_NO_CURE}.",
    "PERSON_CHAIN_SOLICITATION": "The client would have had to ask before anyone solicited him who acts for the firm, "
    f"is closely linked to it, or is rewarded for sending clients; {_NO_CURE}.",
    "CAMPAIGN_EXPOSURE": "The client would have had to ask before a campaign of the firm's side could reach him, or two "
    "people would have had to narrow what the exposure leaves tainted.",
    "EVIDENCE_CONTRADICTED": "Two people would have had to retract the evidence that the client was solicited before he "
    "asked or, as long as nobody has approved it, narrow what it leaves tainted.",
    "PROMOTER_UNKNOWN": "Whoever solicited the client would have had to be registered as independent at that time, or "
    "two people would have had to narrow what the approach leaves tainted.",
    "EXPOSED_SINCE_REQUEST": "Nobody's solicitation may have reached the client between his request and the offer, "
    "unless two people narrowed what it leaves tainted.",
    "SCOPE_TAINTED": "The client would have had to ask unprompted: not in reply to the firm, and before anything sent "
    "to him named what he asked for.",
    "ATTESTATION_ONLY": f"For this request {_RECORD} would have had to be filed and approved; a tick-box, clause or "
    "declaration proves nothing.",
    "EVIDENCE_ABSENT": f"For this request {_RECORD} would have had to be filed, and approved by somebody else.",
    "EVIDENCE_UNAPPROVED": "Somebody other than who filed the record of this request would have had to approve it.",
    "CHANNELS_NOT_SEARCHED": "For this request an approved search for earlier solicitation would have had to cover "
    "every channel that the policy requires.",
    "NEW_SERVICE_TYPE": f"The client would have had to ask for {{covered}} as well, before the offer, {_OWN}.",
    "NEW_PRODUCT_TYPE": f"The client would have had to ask for {{covered}} as well, before the offer, {_OWN}; or an "
    "approved classification would have had to map it and the product he asked for directly to each other, which none does "
    "with the plain service.",
    "TYPE_UNCLASSIFIED": "Every asset that the offer and the request name would have had to be classified in full, with "
    "an approval; where this alone blocks it, two people may release it.",
    "NEW_ASSET_TYPE": f"The client would have had to ask for {{covered}}, or an asset of its type, before the offer, {_OWN}.",
    "TYPE_NOT_ASSESSED": "The firm would have had to put both assets in the same approved group of types.",
    "ASSET_NOT_NAMED": "Offer and request would both have had to name the same asset, or neither one.",
    "WINDOW_EXPIRED": f"The client would have had to ask again himself, {_OWN}, or the offer would have had to come before "
    "{soft}, or before {hard} and with a release by two people.",
    "WINDOW_SOFT_LIMIT": f"The client would have had to ask again himself, {_OWN}, or the offer would have had to come "
    "before {soft}.",
    "OUTSIDE_ORIGINAL_TRANSACTION": "The offer would have had to belong to the transaction of the client's own request.",
    "WITHIN_WINDOW": "Nothing: it is of the type that the client asked for, in time and in the same transaction.",
    "RULE_FAILED": "The rule would have had to run; that is the gate's own fault, and whoever runs it must mend it "
    "before the offer is proposed again.",
    "UNREADABLE_OFFER": "The event would have had to be readable; the sender must mend what its reject names and "
    "propose the offer again.",
}
"""By reason code, in the order of judging; `{covered}` is what was offered, `{soft}` and `{hard}` are the window's limits."""

LASTING: Final = frozenset(("OTHER_REGIME", "OUT_OF_SCOPE_NFT", "INITIATION_SOLICITED", "PERSON_CHAIN_SOLICITATION"))
"""What neither people nor another request lift; what else was wrong does not matter then."""

_RELEASE: Final = "; or, where nothing blocks it, two people may release it before {hard}."
"""Of a reason that only flags, whichever it is (judging section 7)."""


def remedy(
    code: str,
    verdict: str,
    covered: str = "what is offered",
    soft: str = "the soft limit",
    hard: str = "the hard limit",
) -> str:
    """What would have had to be different for a reason with that verdict not to speak; also of a code from a newer gate."""
    said = REMEDIES.get(code)
    if said is None:
        return "This program is older than the gate and does not know the reason; what the gate said counts."
    if verdict == "flag" and code != "RELEASED":
        said = said.removesuffix(".") + _RELEASE
    return said.format(covered=covered, soft=soft, hard=hard)
