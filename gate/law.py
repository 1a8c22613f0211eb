"""Every reason code: its step in the order of judging, its rule and the citation a decision prints.

Source: judging sections 2-5, law reference section 5 (marks of verification stand in LAW.md).
"""

from typing import Final, NamedTuple


class Duty(NamedTuple):
    """Where a code stands: `order` sorts by step, then row; `rule` and `law` are printed."""

    order: int
    step: int
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

_ROWS: tuple[tuple[str, int, str, str], ...] = (
    ("RELEASED", 0, "R26", _FIRM),
    ("AUTHORISED_ENTITY", 1, "R1", "MiCA Art. 59(1)"),
    ("OUT_OF_TERRITORY", 2, "R2", _61_1),
    ("LOCATION_UNKNOWN", 2, "R2", f"{_61_1}; firm policy"),
    ("LOCATION_CONFLICT", 2, "R2", f"{_61_1}; firm policy"),
    ("OTHER_REGIME", 3, "R3", "MiCA Art. 2(3)-(4)"),
    ("OUT_OF_SCOPE_NFT", 3, "R3", "MiCA Art. 2(3)-(4)"),
    ("SERVICE_NOTICE", 4, "R17", _61_1),
    ("EXIT_SERVICE", 4, "R17", f"{_61_1}; ESMA75-113276571-1710"),
    ("EDUCATION_ONLY", 4, "R18", _CONTENT),
    ("MIXED_CONTENT", 4, "R18", _CONTENT),
    ("EXIT_ONLY", 5, "R21", "MiCA Art. 59(1); ESMA75-113276571-1710"),
    ("SUSPENDED", 5, "R21", _MEANS),
    ("INITIATION_UNKNOWN", 6, "R5", _GL3),
    ("INITIATION_SOLICITED", 6, "R7", _MEANS),
    ("PERSON_CHAIN_SOLICITATION", 6, "R7", _PERSONS),
    ("CAMPAIGN_EXPOSURE", 6, "R8", _AUDIENCE),
    ("EVIDENCE_CONTRADICTED", 6, "R7", "MiCA Art. 61(1) subparas 2-3; ESMA guideline 3, para. 24"),
    ("PROMOTER_UNKNOWN", 6, "R7", _PERSONS),
    ("EXPOSED_SINCE_REQUEST", 6, "R8", _AUDIENCE),
    ("SCOPE_TAINTED", 6, "R9", "MiCA Art. 61(1)-(2)"),
    ("ATTESTATION_ONLY", 6, "R6", "MiCA Art. 61(1) subpara. 3; ESMA guideline 3, para. 24"),
    ("EVIDENCE_ABSENT", 6, "R5", _GL3),
    ("EVIDENCE_UNAPPROVED", 6, "R5", _GL3),
    ("CHANNELS_NOT_SEARCHED", 6, "R5", _GL3),
    ("NEW_SERVICE_TYPE", 7, "R10", "MiCA Art. 61(2)"),
    ("NEW_PRODUCT_TYPE", 7, "R12", _GL4),
    ("TYPE_UNCLASSIFIED", 7, "R13", _GL4),
    ("NEW_ASSET_TYPE", 7, "R11", _GL4),
    ("TYPE_NOT_ASSESSED", 7, "R13", _GL4),
    ("ASSET_NOT_NAMED", 7, "R13", _GL4),
    ("WINDOW_EXPIRED", 8, "R14", _GL4),
    ("WINDOW_SOFT_LIMIT", 8, "R15", _GL4),
    ("OUTSIDE_ORIGINAL_TRANSACTION", 8, "R15", _GL4),
    ("WITHIN_WINDOW", 8, "R16", _GL4),
    ("RULE_FAILED", 9, "R25", _FIRM),
    ("UNREADABLE_OFFER", 9, "R25", _FIRM),
)

DUTIES: Final[dict[str, Duty]] = {code: Duty(n, step, rule, law) for n, (code, step, rule, law) in enumerate(_ROWS)}
"""Reason codes in the order of judging."""

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
