"""Policy files: TOML, so that every number carries its source as a comment; refused with all complaints at once."""

import json
from collections import Counter
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

from msgspec import structs

from gate.facts import EvidenceKind
from gate.instants import EPOCH, moment
from gate.policy import DAY, HOUR, PAIR_RULES, SECOND, STEPS, Policy, complaints
from streams.border.complaints import is_country
from streams.terminal import plain
from streams.toml import NoTable, table_of

DEFAULT = Path(__file__).parent.parent / "deploy" / "policy" / "default.toml"
_SECTIONS = {
    "": ("version", "source"),
    "window": ("soft_hours", "hard_days"),
    "clock": ("tolerance_seconds",),
    "persons": ("close_link_percent",),
    "review": ("release_hours",),
    "types": ("pair_rules",),
    "steps": ("order",),
    "evidence": ("required_channels", "self_approving_kinds", "self_approving_filers"),
    "countries": (),
}


class PolicyRefused(Exception):
    """A policy that cannot be used; `complaints` holds everything that is wrong with it."""

    def __init__(self, name: str, found: list[str]) -> None:
        self.complaints = found
        lines = "\n".join(f"  - {plain(line)}" for line in found)
        super().__init__(f"policy `{name}` is refused:\n{lines}")


def load(path: Path | None = None) -> Policy:
    """The policy of a file, or the default one. Raises `PolicyRefused`."""
    return read(path)[0]


def read(path: Path | None = None) -> tuple[Policy, bytes]:
    """The same, with the very text that says it: who reads the file again may find another."""
    path = path or DEFAULT
    try:
        text = path.read_bytes()
        return parse(text, str(path)), text
    except OSError as error:
        raise PolicyRefused(
            str(path), [f"cannot be read: {error.strerror}; name another file, or none for the default"]
        ) from None


def parse(text: bytes, name: str) -> Policy:
    """The policy that a text says; `name` is what complaints call it. Raises `PolicyRefused`, whatever the text is."""
    try:
        table = table_of(text)
    except NoTable as wrong:
        raise PolicyRefused(name, [str(wrong)]) from None
    found: list[str] = _unknown(table)
    policy = _policy(table, found)
    found += complaints(policy)
    if found:
        raise PolicyRefused(name, list(dict.fromkeys(found)))
    return policy


def _unknown(table: dict[str, Any]) -> list[str]:
    found = []
    for name, value in table.items():
        if name in _SECTIONS[""]:
            continue
        if not name or name not in _SECTIONS:
            found.append(f"`{name}` is not known" if name else "a section has no name")
        elif not isinstance(value, dict):
            found.append(f"`[{name}]` must be a section")
        elif name != "countries":
            found += [f"`{name}.{key}` is not known" for key in value if key not in _SECTIONS[name]]
    return found


class _Reader:
    """Takes values out of the table; what is missing or of a wrong type is noted and replaced by a harmless value."""

    def __init__(self, table: dict[str, Any], found: list[str]) -> None:
        self.table = table
        self.found = found

    def get(self, section: str, name: str) -> Any:
        there = self.table.get(section) if section else self.table
        return there.get(name) if isinstance(there, dict) else None

    def text(self, name: str) -> str:
        value = self.get("", name)
        return value if isinstance(value, str) else ""

    def number(self, section: str, name: str) -> float:
        value = self.get(section, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 1e9:
            self.found.append(f"`{section}.{name}` must be a number")
            return 1
        return value if value % 1 else int(value)

    def words(self, section: str, name: str, known: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of words, each once; where there are `known` ones, of these alone."""
        value = self.get(section, name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            self.found.append(f"`{section}.{name}` must be a list of words")
            return ()
        self.found += [f"`{section}.{name}`: `{v}` is not known" for v in value if known and v not in known]
        self.found += [f"`{section}.{name}`: `{v}` appears twice" for v, count in Counter(value).items() if count > 1]
        return tuple(value)

    def countries(self) -> dict[str, int]:
        value = self.table.get("countries")
        dates = {}
        for country, since in value.items() if isinstance(value, dict) else ():
            if not is_country(country):
                self.found.append(f"`countries.{country}` is no country: ISO 3166-1 alpha-2 has two letters, as `GR`")
            elif type(since) is not date:
                self.found.append(f"`countries.{country}` must be a date such as 2024-12-30")
            else:
                begin = datetime(since.year, since.month, since.day, tzinfo=UTC) - EPOCH
                dates[country] = begin.days * DAY
        return dates


def _policy(table: dict[str, Any], found: list[str]) -> Policy:
    read = _Reader(table, found)
    policy = Policy(
        version=read.text("version"),
        source=read.text("source"),
        digest="",
        soft_limit=round(read.number("window", "soft_hours") * HOUR),
        hard_limit=round(read.number("window", "hard_days") * DAY),
        clock_tolerance=round(read.number("clock", "tolerance_seconds") * SECOND),
        close_link_percent=read.number("persons", "close_link_percent"),
        release_limit=round(read.number("review", "release_hours") * HOUR),
        pair_rules=read.words("types", "pair_rules", PAIR_RULES),
        steps=read.words("steps", "order", STEPS),
        required_channels=read.words("evidence", "required_channels"),
        self_approving_kinds=frozenset(read.words("evidence", "self_approving_kinds", get_args(EvidenceKind))),
        self_approving_filers=frozenset(read.words("evidence", "self_approving_filers")),
        countries=read.countries(),
    )
    return structs.replace(policy, digest=_digest(policy))


def _digest(policy: Policy) -> str:
    """The same for two files that mean the same: of the values as they are used, in no order but their names'."""
    meant = {name: getattr(policy, name) for name in Policy.__struct_fields__}
    plain = {name: sorted(v) if isinstance(v, tuple | frozenset) else v for name, v in meant.items()}
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
    return "sha256:" + sha256(canonical).hexdigest()


PUT_IN_FORCE = "put yours in force with `gate61 policy publish FILE`, or leave GATE61_POLICY out"


def not_in_force(own: Policy, last: Policy) -> str:
    """What is wrong where the policy that a worker is given is not the one that its topic says; see `PUT_IN_FORCE`."""
    return f"GATE61_POLICY is version {own.version} (digest {own.digest}), in force is {last.version} (digest {last.digest})"


_KEYS: dict[str, tuple[str, int]] = {
    "version": ("version", 0),
    "source": ("source", 0),
    "soft_limit": ("window.soft_hours", HOUR),
    "hard_limit": ("window.hard_days", DAY),
    "clock_tolerance": ("clock.tolerance_seconds", SECOND),
    "close_link_percent": ("persons.close_link_percent", 1),
    "release_limit": ("review.release_hours", HOUR),
    "pair_rules": ("types.pair_rules", 0),
    "steps": ("steps.order", 0),
    "required_channels": ("evidence.required_channels", 0),
    "self_approving_kinds": ("evidence.self_approving_kinds", 0),
    "self_approving_filers": ("evidence.self_approving_filers", 0),
    "countries": ("countries", 0),
}
"""By field of a policy its key in the file, and the unit that numbers have there."""


def differences(policy: Policy, other: Policy) -> list[str]:
    """What a policy changes against another one, a line for each key of the file, in its units."""
    changed = [(*_KEYS[name], getattr(other, name), getattr(policy, name)) for name in _KEYS]
    return [f"{key}: {_change(was, now, unit)}" for key, unit, was, now in changed if was != now]


def _change(was: Any, now: Any, unit: int) -> str:
    if unit:
        return f"{was / unit:.12g} -> {now / unit:.12g}"
    if isinstance(was, str):
        return f"{was} -> {now}"
    more, less = [w for w in _words(now) if w not in _words(was)], [w for w in _words(was) if w not in _words(now)]
    told = [f"with {', '.join(more)}"] if more else []
    return "; ".join([*told, *([f"without {', '.join(less)}"] if less else [])]) or "in another order"


def _words(value: Any) -> list[str]:
    """Of a collection its members as the file has them: countries with their dates."""
    if isinstance(value, dict):
        return [f"{country} = {moment(at).date()}" for country, at in sorted(value.items())]
    return sorted(value) if isinstance(value, frozenset) else [*value]
