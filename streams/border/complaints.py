"""What is wrong with a field of an event, in the contract's words instead of those of the library that found it."""

import re
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from gate.facts import IDENT_PATTERN, Country
from gate.packing import shape
from streams.border.envelope import NESTED

IDENT_RULE: Final = "must have 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -"
_COUNTRIES: Final = 'give a list such as ["DE"], or EEA or * instead of a list'
_PLACE: Final = re.compile(r"(?: - at)? `\$\[(\d+)\](\[(?:\.{3}|\d+)\])?(?:\[(\d+)\])?")
_VALUE: Final = re.compile(r"Invalid enum value (.+)", re.DOTALL)
_KIND: Final = re.compile(r"Expected `([a-z| ]+)`, got `([a-z]+)`")
_SIZE: Final = re.compile(r"Expected `[a-z]+`( of length)? (<=|>=) ([0-9.]+)")
_WORDS: Final = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}


def is_country(code: str) -> bool:
    """Whether ISO 3166-1 assigns that code, in capitals."""
    try:
        msgspec.convert(code, Country)
    except msgspec.ValidationError:
        return False
    return True


def complaint(message: str, kind: type, names: tuple[str, ...]) -> str:
    """A complaint of msgspec's about the row of an event of that kind; `names` are those of its fields."""
    place = _PLACE.search(message)
    if place is None:
        return message[:400]
    number = int(place[1]) - 1
    name, what = names[number], message[: place.start()].strip()
    if place[3] and name in NESTED:
        name += f".{NESTED[name][int(place[3])]}"
    if "got `null`" in what:
        return f"`data.{name}` is missing"
    whose = "an item of " if place[2] and not place[3] else ""
    said = f"{whose}`data.{name}` {_in_words(what, msgspec.structs.fields(shape(kind))[number].type)}"[:400]
    return f"{said}; {_COUNTRIES}" if name == "countries" else said


def _in_words(what: str, type_: Any) -> str:
    if found := _VALUE.match(what):
        return f"is {found[1][:64]}, none of {', '.join(_choices(type_))}"
    if "matching regex" in what:
        return IDENT_RULE if IDENT_PATTERN in what else "must be a country of ISO 3166-1 alpha-2, such as DE"
    if found := _KIND.match(what):
        wanted = [_WORDS.get(each, each) for each in found[1].split(" | ") if each != "null"]
        return f"must be {' or '.join(dict.fromkeys(wanted))}, and is {_WORDS.get(found[2], found[2])}"
    if found := _SIZE.match(what):
        limit = f"{'at most' if found[2] == '<=' else 'at least'} {float(found[3]):g}"
        return f"must have {limit} characters" if found[1] else f"must be {limit}"
    return f"is not as it must be ({what})"


def _choices(type_: Any) -> list[str]:
    """Every word that may stand in a field of that type, also within its lists and objects."""
    if get_origin(type_) is Literal:
        return [*get_args(type_)]
    inside = get_args(type_)
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        inside = tuple(field.type for field in msgspec.structs.fields(type_))
    return [word for each in inside for word in _choices(each)]
