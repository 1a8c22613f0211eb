"""Every reason code in the order of judging: its rule and the citation that a decision prints.

Source: judging sections 2-5; LAW.md section 9, which says of each rule what it rests on and how sure that is.
"""

from typing import Final, NamedTuple


class Duty(NamedTuple):
    """Where a code stands: `order` sorts by step, then row; `rule` and `law` are printed."""

    order: int
    rule: str
    law: str


_FIRM = "firm policy"
_61_1 = "MiCA Art. 61(1)"
_GL3 = "MiCA Art. 61(1); ESMA guideline 3"
_GL4 = "MiCA Art. 61(2); ESMA guideline 4"
_PERSONS = "MiCA Art. 61(1) subpara. 2; ESMA guideline 2, para. 19"
_MEANS = "MiCA Art. 61(1) subpara. 2; ESMA guideline 1"
_AUDIENCE = "MiCA Art. 61(1) subpara. 2; ESMA guideline 1, paras 12-13"
_CONTENT = "ESMA guideline 1, para. 17"

_ROWS: tuple[tuple[str, str, str], ...] = (
    # Beside the order: two people let an answer go.
    ("RELEASED", "R26", _FIRM),
    # Step 1
    ("AUTHORISED_ENTITY", "R1", "MiCA Art. 59(1)"),
    # Step 2
    ("OUT_OF_TERRITORY", "R2", _61_1),
    ("LOCATION_UNKNOWN", "R2", f"{_61_1}; firm policy"),
    ("LOCATION_CONFLICT", "R2", f"{_61_1}; firm policy"),
    # Step 3
    ("OTHER_REGIME", "R3", "MiCA Art. 2(3)-(4)"),
    ("OUT_OF_SCOPE_NFT", "R3", "MiCA Art. 2(3)-(4)"),
    # Step 4
    ("SERVICE_NOTICE", "R17", _61_1),
    ("EXIT_SERVICE", "R17", f"{_61_1}; ESMA75-113276571-1710"),
    ("EDUCATION_ONLY", "R18", _CONTENT),
    ("MIXED_CONTENT", "R18", _CONTENT),
    # Step 5
    ("EXIT_ONLY", "R21", "MiCA Art. 59(1); ESMA75-113276571-1710"),
    ("SUSPENDED", "R21", _MEANS),
    # Step 6
    ("INITIATION_UNKNOWN", "R5", _GL3),
    ("INITIATION_SOLICITED", "R7", _MEANS),
    ("PERSON_CHAIN_SOLICITATION", "R7", _PERSONS),
    ("CAMPAIGN_EXPOSURE", "R8", _AUDIENCE),
    ("EVIDENCE_CONTRADICTED", "R7", "MiCA Art. 61(1) subparas 2-3; ESMA guideline 3, para. 24"),
    ("PROMOTER_UNKNOWN", "R7", _PERSONS),
    ("EXPOSED_SINCE_REQUEST", "R8", _AUDIENCE),
    ("SCOPE_TAINTED", "R9", "MiCA Art. 61(1)-(2)"),
    ("ATTESTATION_ONLY", "R6", "MiCA Art. 61(1) subpara. 3; ESMA guideline 3, para. 24"),
    ("EVIDENCE_ABSENT", "R5", _GL3),
    ("EVIDENCE_UNAPPROVED", "R5", _GL3),
    ("CHANNELS_NOT_SEARCHED", "R5", _GL3),
    # Step 7
    ("NEW_SERVICE_TYPE", "R10", "MiCA Art. 61(2)"),
    ("NEW_PRODUCT_TYPE", "R12", _GL4),
    ("TYPE_UNCLASSIFIED", "R13", _GL4),
    ("NEW_ASSET_TYPE", "R11", _GL4),
    ("TYPE_NOT_ASSESSED", "R13", _GL4),
    ("ASSET_NOT_NAMED", "R13", _GL4),
    # Step 8
    ("WINDOW_EXPIRED", "R14", _GL4),
    ("WINDOW_SOFT_LIMIT", "R15", _GL4),
    ("OUTSIDE_ORIGINAL_TRANSACTION", "R15", _GL4),
    ("WITHIN_WINDOW", "R16", _GL4),
    # Beside the order: what could not be judged.
    ("RULE_FAILED", "R25", _FIRM),
    ("UNREADABLE_OFFER", "R25", _FIRM),
)

DUTIES: Final[dict[str, Duty]] = {code: Duty(n, rule, law) for n, (code, rule, law) in enumerate(_ROWS)}
"""Reason codes in the order of judging."""

OF_CASES: Final[dict[str, str]] = {
    "LATE_EVIDENCE": _FIRM,
    "LOCATION_CONFLICT": DUTIES["LOCATION_CONFLICT"].law,
    "DELIVERED_WITHOUT_PERMISSION": "MiCA Art. 61(1)-(2)",
    "EXPOSURE": _AUDIENCE,
    "EVIDENCE_CONTRADICTED": DUTIES["EVIDENCE_CONTRADICTED"].law,
    "IDENTITY_MERGED": _61_1,
    "SAME_PERSON_TWICE": _FIRM,
    "RELEASE_REFUSED": _FIRM,
    "RULE_FAILED": DUTIES["RULE_FAILED"].law,
}
"""Why a case is opened (judging section 6), and the citation that it prints."""

SOLICITATION_CODES: Final = frozenset(
    (
        "INITIATION_SOLICITED",
        "PERSON_CHAIN_SOLICITATION",
        "CAMPAIGN_EXPOSURE",
        "EVIDENCE_CONTRADICTED",
        "PROMOTER_UNKNOWN",
        "EXPOSED_SINCE_REQUEST",
        "SCOPE_TAINTED",
    )
)
"""The rows of step 6 that speak of solicitation; they make the initiation `solicited` or `contested`."""
