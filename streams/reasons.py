"""When each reason speaks: a page for people, in the order of judging, with what would clear it and its law.

Source: judging sections 2-7. Codes and citations are those of `gate.law`, what would clear them that of `streams.remedies`.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from gate.law import DUTIES
from streams.remedies import remedy

ALLOW: Final = ("allow",)
FLAG: Final = ("flag",)
BLOCK: Final = ("block",)
EITHER: Final = ("flag", "block")


class Speaks(NamedTuple):
    """With which verdicts a reason comes, and when."""

    verdicts: tuple[str, ...]
    when: str


STEPS: Final[dict[str, dict[str, Speaks]]] = {
    "Before all others": {
        "RELEASED": Speaks(
            FLAG,
            "Two people let a held answer go, and the time that they set is not over. The reasons for which it was held "
            "stand behind this one.",
        ),
    },
    "1. Who provides it": {
        "AUTHORISED_ENTITY": Speaks(
            ALLOW,
            "Whoever provides it is registered at the offer's time as authorised in the Union for the service that is "
            "offered and for each that is promoted. Nothing else is asked then.",
        ),
    },
    "2. Where the client is": {
        "OUT_OF_TERRITORY": Speaks(
            ALLOW,
            "A strong sign that holds (residence from the identity check, registered office, tax residence) is outside the "
            "countries in scope, and no sign is inside. Nothing else is asked then.",
        ),
        "LOCATION_UNKNOWN": Speaks(FLAG, "No sign that holds is in a country in scope, and no strong one is outside."),
        "LOCATION_CONFLICT": Speaks(
            FLAG, "Only weak signs are in a country in scope (such as network, SIM, bank), and a strong one is outside."
        ),
    },
    "3. Which law it falls under": {
        "OTHER_REGIME": Speaks(BLOCK, "An asset that is offered or promoted is a financial instrument or a deposit."),
        "OUT_OF_SCOPE_NFT": Speaks(BLOCK, "An asset that is offered or promoted is a unique token."),
    },
    "4. What is said": {
        "SERVICE_NOTICE": Speaks(
            ALLOW,
            "A service notice promotes nothing, leads nowhere and asks for no contact details. It passes wherever the client "
            "is; nothing else is asked.",
        ),
        "EXIT_SERVICE": Speaks(
            ALLOW, "Help to leave promotes nothing; a link does not matter. It passes in the same way."
        ),
        "EDUCATION_ONLY": Speaks(
            ALLOW,
            "A lesson promotes nothing, leads nowhere and asks for no contact details. It passes in the same way.",
        ),
        "MIXED_CONTENT": Speaks(
            EITHER,
            "Flag: a notice, a lesson or help to leave promotes something, which is then judged as an offer. Block: a notice "
            "or a lesson promotes nothing, but has a link or asks for contact details.",
        ),
    },
    "5. How the firm stands to the client": {
        "EXIT_ONLY": Speaks(BLOCK, "The relationship is exit-only or closed."),
        "SUSPENDED": Speaks(BLOCK, "The relationship is suspended."),
    },
    "6. Whose initiative it was, and on what proof": {
        "INITIATION_UNKNOWN": Speaks(BLOCK, "The client has asked for nothing by the time of the offer."),
        "INITIATION_SOLICITED": Speaks(BLOCK, "The firm itself solicited him at or before his request."),
        "PERSON_CHAIN_SOLICITATION": Speaks(
            BLOCK,
            "Somebody else on the firm's side did: of its group, acting for it, closely linked (20 % or more, or control), or "
            "rewarded for sending him.",
        ),
        "CAMPAIGN_EXPOSURE": Speaks(
            EITHER,
            "At or before his request a campaign of that side addressed a country in scope where he ever was, or he came by "
            "its tag. Flag, where it is weak: a feature for the Union, or these countries were all kept out by geo-blocks.",
        ),
        "EVIDENCE_CONTRADICTED": Speaks(
            EITHER,
            "Evidence that stands says that he was solicited at or before his request, or does not say when. Block, once it is "
            "approved; flag until then.",
        ),
        "PROMOTER_UNKNOWN": Speaks(
            FLAG,
            "Whoever solicited him at or before his request was not registered then, or nobody knows whose campaign it was.",
        ),
        "EXPOSED_SINCE_REQUEST": Speaks(
            FLAG, "Somebody who counts or is unknown solicited him between his request and the offer."
        ),
        "SCOPE_TAINTED": Speaks(
            BLOCK,
            "His request was prompted: it answers something that was not his own unprompted word, or something sent to him had "
            "named what he then asked for.",
        ),
        "ATTESTATION_ONLY": Speaks(
            BLOCK,
            "No record of how he asked is filed for this request; a tick-box or a clause is, or he declared something.",
        ),
        "EVIDENCE_ABSENT": Speaks(
            BLOCK, "No record of how he asked is filed for this request, and no tick-box, clause or declaration either."
        ),
        "EVIDENCE_UNAPPROVED": Speaks(
            BLOCK, "A record of how he asked is filed, and nobody but who filed it has approved it."
        ),
        "CHANNELS_NOT_SEARCHED": Speaks(
            FLAG,
            "A record is approved, but the approved searches for this request leave out a channel that the policy requires.",
        ),
    },
    "7. Whether it is of the type that was asked for": {
        "NEW_SERVICE_TYPE": Speaks(BLOCK, "The client has asked for something by then, but never for this service."),
        "NEW_PRODUCT_TYPE": Speaks(
            BLOCK,
            "It is another product than he asked for, and no approved classification maps one directly to the other.",
        ),
        "TYPE_UNCLASSIFIED": Speaks(
            BLOCK,
            "An asset that offer or request names is not classified, not approved, or lacks something that tells types apart.",
        ),
        "NEW_ASSET_TYPE": Speaks(
            BLOCK,
            "It is another asset, and a pair of LAW.md section 8 tells the two apart, or they are in different approved groups.",
        ),
        "TYPE_NOT_ASSESSED": Speaks(
            FLAG, "It is another asset, no pair tells the two apart, and one of them is in no approved group."
        ),
        "ASSET_NOT_NAMED": Speaks(FLAG, "Only one of offer and request names an asset."),
    },
    "8. When, and in which transaction": {
        "WINDOW_EXPIRED": Speaks(BLOCK, "The policy's hard limit since the request is reached."),
        "WINDOW_SOFT_LIMIT": Speaks(FLAG, "The policy's soft limit since the request is reached, the hard one is not."),
        "OUTSIDE_ORIGINAL_TRANSACTION": Speaks(BLOCK, "The offer names no transaction, or another than the request's."),
        "WITHIN_WINDOW": Speaks(ALLOW, "No reason of steps 5 to 8 objects."),
    },
    "What could not be judged": {
        "RULE_FAILED": Speaks(BLOCK, "A rule did not run, by a mistake of the gate's own."),
        "UNREADABLE_OFFER": Speaks(
            BLOCK, "An event could not be taken, and it could be seen whose offer it was to be."
        ),
    },
}
"""Every reason code of `gate.law`, by step, in the order of judging."""

_BEGINNING: Final = """# Reasons

Written by `make schemas` from what the gate itself judges and explains by: every reason code in the order of judging.

The gravest verdict of all reasons is the answer's (allow, flag, block: sent, held for a person, not sent); of reasons that are
equally grave the one that stands first here leads. Where an offer fits several requests of the client, it is judged by the
one with the mildest answer, and the reasons are those of that one. Facts of one and the same time count against the firm.

A flag is also cleared by two people who release the answer before the hard limit, where nothing blocks it; of blocks, only
`TYPE_UNCLASSIFIED` alone. What would clear a reason is what the answer hung on: nobody may be told to arrange it backwards.
How sure each rule of the law is, by its number: [LAW.md](../../LAW.md), section 9.
"""


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join((_BEGINNING, *_tables()))


def _tables() -> Iterator[str]:
    for step, reasons in STEPS.items():
        yield f"## {step}\n\n| reason | verdict | speaks when | what would clear it | rule | law |\n|---|---|---|---|---|---|"
        for code, (verdicts, when) in reasons.items():
            duty = DUTIES[code]
            cells = (f"`{code}`", " or ".join(verdicts), when, remedy(code, "block"), duty.rule, duty.law)
            yield f"| {' | '.join(cells)} |"
        yield ""
