"""The border: a line becomes a fact, a repetition of one, or a reject with its reason.

Implements "contract" section 1 (file mode) and the field tables of its sections 2 and 3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

CLOCK_TOLERANCE = 60 * 1_000_000
"""How long after its recording an event may claim to have happened, in microseconds."""

Data = dict[str, Any]
Check = Callable[[Any], bool]

SERVICES = frozenset(
    [
        "custody",
        "trading_platform",
        "exchange_funds",
        "exchange_crypto",
        "execution",
        "placing",
        "reception_transmission",
        "advice",
        "portfolio_management",
        "transfer",
    ]
)
MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))")


@dataclass(frozen=True)
class Event:
    """One accepted fact; `time` in microseconds since 1970, `kind` the middle of its type."""

    source: str
    id: str
    kind: str
    subject: str
    time: int
    data: Data

    @property
    def key(self) -> tuple[str, str]:
        """What makes the event unique."""
        return self.source, self.id


@dataclass(frozen=True)
class Reject:
    """A line that can't be taken, with what can still be read of it."""

    reason: str
    raw: str
    event: tuple[str, str] | None = None
    """(source, id) where this is an offer whose client and offer can be read."""


def moment(text: Any) -> int | None:
    """An RFC 3339 time with zone as microseconds since 1970; digits beyond those are cut off."""
    return _moment(text) if isinstance(text, str) else None


@lru_cache(1 << 12)
def _moment(text: str) -> int | None:
    found = MOMENT.fullmatch(text)
    if found is None:
        return None
    *date, fraction, sign, hours, minutes = found.groups()
    if int(hours or 0) > 23 or int(minutes or 0) > 59:
        return None
    away = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    zone = timezone(-away if sign == "-" else away)
    try:
        at = datetime(*(int(part) for part in date), tzinfo=zone)  # type: ignore[misc,arg-type]
    except ValueError:
        return None
    seconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return seconds * 1_000_000 + int(((fraction or "") + "000000")[:6])


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _time(value: Any) -> bool:
    return moment(value) is not None


_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW "
    "BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI "
    "FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN "
    "IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME "
    "MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF "
    "PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV "
    "SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE "
    "YT ZA ZM ZW "
)
COUNTRIES = frozenset(_CODES.split())
"""ISO 3166-1 alpha-2, as assigned."""


def _country(value: Any) -> bool:
    return isinstance(value, str) and value in COUNTRIES


def _one_of(words: str) -> Check:
    allowed = frozenset(words.split())
    return lambda value: isinstance(value, str) and value in allowed


def _list(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def _object(**fields: Check) -> Check:
    return lambda value: isinstance(value, dict) and _fields_hold(value, fields)


def _countries(value: Any) -> bool:
    return value in ("EEA", "*") or _list(_country)(value)


def _fields_hold(data: Data, fields: dict[str, Check]) -> bool:
    """Every field holds; one whose name ends in `_` may be left out, and null is left out."""
    for name, check in fields.items():
        value = data.get(name.removesuffix("_"))
        if value is None:
            if not name.endswith("_"):
                return False
        elif not check(value):
            return False
    return True


_SERVICE = _one_of(" ".join(SERVICES))
_THINGS = _list(_object(service_=_SERVICE, asset_=_text, product_=_text))
_TWO = {"by": _text, "second": _text, "reason": _text}
_MESSAGE = {"promotes_": _THINGS, "link_": _flag, "contact_capture_": _flag}

FIELDS: dict[str, dict[str, Check]] = {
    "client.located": {
        "indicator": _one_of(
            "kyc_residence registered_office tax_residence declared ip sim bank_account temporary_stay"
        ),
        "country": _country,
        "until_": _time,
    },
    "client.arrived": {
        "path": _one_of("direct search link qr app_store event unknown"),
        "via_": _text,
        "campaign_": _text,
    },
    "client.requested": {
        "service": _SERVICE,
        "asset_": _text,
        "product_": _text,
        "transaction": _text,
        "channel": _text,
        "kind": _one_of("request order recurring_execution"),
        "in_reply_to_": _text,
    },
    "client.asked": {"transaction_": _text, "channel": _text},
    "client.declared": {"claim": _one_of("own_initiative"), "text_version": _text},
    "client.merged": {"other": _text},
    "firm.contacted": {
        "by": _text,
        "means": _one_of("email push call meeting chat letter event app web"),
        "content": _one_of("marketing brand education service_notice recommendation"),
        "campaign_": _text,
        **_MESSAGE,
    },
    "referral.recorded": {"by": _text, "rewarded": _flag, "code_": _text},
    "offer.proposed": {
        "offer": _text,
        "service": _SERVICE,
        "asset_": _text,
        "product_": _text,
        "by_": _text,
        "channel": _text,
        "transaction_": _text,
        "in_reply_to_": _text,
        "content": _one_of("offer service_notice education exit_help"),
        **_MESSAGE,
    },
    "offer.delivered": {"offer": _text},
    "evidence.filed": {
        "evidence": _text,
        "supports": _one_of("initiation solicitation no_solicitation"),
        "request_": _text,
        "kind": _one_of(
            "inbound_email inbound_call inbound_chat inbound_letter session_log channel_search "
            "affiliate_report campaign_report attestation tick_box terms_clause complaint"
        ),
        "channels_searched_": _list(_text),
        "digest_": _text,
        "by": _text,
        "solicited_at_": _time,
        "solicited_by_": _text,
    },
    "evidence.approved": {"evidence": _text, "by": _text, "second_": _text},
    "evidence.retracted": {"evidence": _text, **_TWO},
    "review.released": {"decision": _text, "expires": _time, **_TWO},
    "review.refused": {"decision": _text, "by": _text, "reason": _text},
    "taint.narrowed": {"exposure": _text, "leaves": _THINGS, **_TWO},
    "relationship.changed": {
        "state": _one_of("exempt suspended exit_only closed"),
        "by": _text,
        "second_": _text,
        "reason": _text,
    },
    "campaign.started": {
        "campaign": _text,
        "by": _text,
        "kind": _one_of(
            "advertising sponsorship influencer affiliate brand search app_store event press website eu_feature"
        ),
        "countries": _countries,
        "excludes_": _list(_object(country=_country, geo_blocked=_flag)),
        "languages_": _list(_text),
        "channels_": _list(_text),
        "promotes_": _THINGS,
    },
    "campaign.ended": {"campaign": _text},
    "entity.registered": {
        "entity": _text,
        "relation": _one_of("firm group agent affiliate influencer payment_partner eu_authorised independent"),
        "holding_percent_": _number,
        "control_": _flag,
        "services_": _list(_SERVICE),
        "until_": _time,
    },
    "asset.classified": {
        "asset": _text,
        "class": _one_of("emt art utility other financial_instrument unique_nft deposit"),
        "technology": _text,
        "reference_currency_": _text,
        "basket_": _one_of("fiat crypto mixed"),
        "liquid_": _flag,
        "identifiable_issuer_": _flag,
        "type_group_": _text,
        "approved_by_": _text,
        "dti_": _text,
        "caip19_": _text,
    },
    "product.classified": {
        "product": _text,
        "service": _SERVICE,
        "same_type_as_": _text,
        "approved_by_": _text,
    },
    "country.scoped": {"country": _country, "in_scope": _flag},
}
REGISTER = frozenset(
    [
        "campaign.started",
        "campaign.ended",
        "entity.registered",
        "asset.classified",
        "product.classified",
        "country.scoped",
    ]
)


class Border:
    """Reads lines in order and remembers which (source, id) pairs are used up."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], str] = {}

    def read(self, line: str | Data) -> Event | Reject | None:
        """The fact in a line, or its reject, or nothing for a repetition ("contract" 1)."""
        raw = line if isinstance(line, str) else json.dumps(line)
        envelope, reason = _parsed(raw)
        reason = reason or _fault(envelope)
        if reason:
            return Reject(reason, raw, _readable_offer(envelope))
        event = _event(envelope)
        content = _content(event)
        known = self._taken.get(event.key)
        if known == content:
            return None
        recorded = moment(envelope.get("recordedtime"))
        if recorded is not None and event.time > recorded + CLOCK_TOLERANCE:
            return Reject("FROM_THE_FUTURE", raw, _readable_offer(envelope))
        if known is not None:
            return Reject("ID_REUSED", raw, _readable_offer(envelope))
        self._taken[event.key] = content
        return event


class _DuplicateKeyError(ValueError):
    """An object in the line names a key twice."""


def _pairs(pairs: list[tuple[str, Any]]) -> Data:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _DuplicateKeyError
    return dict(pairs)


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def _parsed(raw: str) -> tuple[Any, str | None]:
    try:
        return json.loads(raw, object_pairs_hook=_pairs, parse_constant=_no_constant), None
    except _DuplicateKeyError:
        return None, "DUPLICATE_KEY"
    except (ValueError, RecursionError):
        return None, "NOT_JSON"


def _fault(envelope: Any) -> str | None:
    """The first reason of the closed list that keeps an envelope out, or none."""
    if not isinstance(envelope, dict) or envelope.get("specversion") != "1.0":
        return "NOT_A_CLOUDEVENT"
    if not all(_text(envelope.get(name)) for name in ("id", "source", "type")):
        return "NOT_A_CLOUDEVENT"
    fields = FIELDS.get(_kind(envelope["type"]))
    if fields is None:
        return "UNKNOWN_TYPE"
    data = envelope.get("data")
    if not _text(envelope.get("subject")) or not isinstance(data, dict):
        return "BAD_FIELD"
    if not _fields_hold(data, fields):
        return "BAD_FIELD"
    recorded = envelope.get("recordedtime")
    if moment(envelope.get("time")) is None or (recorded is not None and moment(recorded) is None):
        return "BAD_TIME"
    return None


def _kind(name: str) -> str:
    found = re.fullmatch(r"gate61\.(.+)\.v1", name)
    return found[1] if found else ""


def _event(envelope: Data) -> Event:
    time = moment(envelope["time"])
    assert time is not None
    data = {name: value for name, value in envelope["data"].items() if value is not None}
    kind = _kind(envelope["type"])
    return Event(envelope["source"], envelope["id"], kind, envelope["subject"], time, data)


def _content(event: Event) -> str:
    """What makes two events with one id the same ("contract" 1); null is like left out."""
    return json.dumps([event.kind, event.subject, event.time, _plain(event.data)], sort_keys=True)


def _plain(value: Any) -> Any:
    """JSON with one form for a number, so that 20 and 20.0 are the same."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _readable_offer(envelope: Any) -> tuple[str, str] | None:
    """(source, id) of a rejected offer whose client and offer can still be read."""
    if not isinstance(envelope, dict) or envelope.get("type") != "gate61.offer.proposed.v1":
        return None
    data = envelope.get("data")
    if not isinstance(data, dict) or not _text(data.get("offer")):
        return None
    if not _text(envelope.get("subject")):
        return None
    return str(envelope.get("source") or ""), str(envelope.get("id") or "")
