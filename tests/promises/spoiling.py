"""Spoils good events the way hostile or broken senders do: structure first, then the text, then its bytes. Seeded."""

import json
from random import Random
from typing import Any

from tests.promises.examples import DATA, example


class Raw(str):
    """A token that stands in the text as it is."""

    __slots__ = ()


class Pairs(list[tuple[Any, Any]]):
    """An object whose keys may stand twice, or be `Raw`."""


_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1e400", "1e-999", "-0", "0.1e1", "1E3", "01", "+1", ".5", "1."]
_NUMBERS += ["9" * n for n in (15, 16, 17, 19, 20, 21, 400, 5000)] + [
    str(2**n + d) for n in (53, 63, 64) for d in (-1, 0)
]
_TEXTS = [
    "",
    " ",
    "x" * 129,
    "x" * 5000,
    "a b",
    "DE",
    "EEA",
    "*",
    "custody",
    "\0",
    "\x1b[2J",
    "\u202eabc",
    "\u2028",
    "é",
    "😀",
]
_TEXTS += [
    "2026-03-02T10:00:00",
    "2026-13-02T10:00:00Z",
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00+23:59",
]
_TEXTS += [
    "2026-03-02T23:59:60Z",
    "2026-03-02T10:00:00." + "9" * 33 + "Z",
    "٢026-03-02T10:00:00Z",
    "2099-01-01T00:00:00Z",
]
_STRINGS = [
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000"',
    '"\\u202e"',
    '"\\x"',
    '"\\u12"',
    '"a\nb"',
    '"\t"',
    '"',
    '"\\"',
]


def value(rng: Random, deep: int = 0) -> Any:
    """Something that was not asked for."""
    match rng.randrange(9):
        case 0:
            return rng.choice([None, True, False, 0, 1, -1, 0.5, 1e308])
        case 1:
            return Raw(rng.choice(_NUMBERS))
        case 2:
            return Raw(rng.choice(_STRINGS))
        case 3:
            many = rng.choice([3, 60, 900, 1100, 5000])
            return _nest(rng, many) if rng.random() < 0.7 else Raw(rng.choice(["[", '{"a":']) * many)
        case 4 if deep < 3:
            return [value(rng, deep + 1) for _ in range(rng.randrange(4))]
        case 5 if deep < 3:
            keys = ["a", "service", "asset", "country", "é", Raw('"\\u0061"'), Raw('"a\\u0000"'), Raw('"\\ud800"')]
            return Pairs((rng.choice(keys), value(rng, deep + 1)) for _ in range(rng.randrange(4)))
        case 6:
            return rng.choice(list(DATA.values()))
        case _:
            return rng.choice(_TEXTS)


def _nest(rng: Random, many: int) -> Raw:
    opened, shut = rng.choice([("[", "]"), ('{"a":', "}")])
    return Raw(opened * many + "1" + shut * many)


def text_of(it: Any, rng: Random) -> str:
    """JSON, or what was put in its place."""
    if isinstance(it, Raw):
        return it
    if isinstance(it, dict):
        it = Pairs(it.items())
    if isinstance(it, Pairs):
        colon = ":" if rng.random() < 0.9 else rng.choice([": ", " :", "\t:\r\n"])
        return "{" + ",".join(text_of(k, rng) + colon + text_of(v, rng) for k, v in it) + "}"
    if isinstance(it, list):
        return "[" + ",".join(text_of(v, rng) for v in it) + "]"
    return json.dumps(it, ensure_ascii=rng.random() < 0.5)


def _places(it: Any) -> list[Any]:
    """Every object and list within."""
    inner = [v for _, v in it] if isinstance(it, Pairs) else it if isinstance(it, list) else []
    return [it, *(p for v in inner if isinstance(v, Pairs | list) for p in _places(v))]


def _paired(it: Any) -> Any:
    if isinstance(it, dict):
        return Pairs((k, _paired(v)) for k, v in it.items())
    return [_paired(v) for v in it] if isinstance(it, list) else it


def _spoil_structure(rng: Random, event: Pairs) -> None:
    place = rng.choice(_places(event))
    if not place:
        place.append(("a", 1) if isinstance(place, Pairs) else value(rng))
        return
    n = rng.randrange(len(place))
    if not isinstance(place, Pairs):
        place[n] = value(rng)
        return
    key, old = place[n]
    match rng.randrange(8):
        case 0:
            del place[n]
        case 1:
            place[n] = (key, None)
        case 2:
            place.append((key, rng.choice([old, value(rng)])))
        case 3 if isinstance(key, str) and key and not isinstance(key, Raw):
            place[n] = (Raw(f'"\\u{ord(key[0]):04x}{key[1:]}"'), old)
        case 4:
            place.append(
                (rng.choice(["", "x", "x" * 70_000, "x" * 1_000_000 if rng.random() < 0.02 else "y"]), value(rng))
            )
        case 5:
            rng.shuffle(place)
        case _:
            place[n] = (key, value(rng))


def _spoil_bytes(rng: Random, line: bytes) -> bytes:
    place = rng.randrange(len(line) + 1)
    match rng.randrange(9):
        case 0:
            return b"\xef\xbb\xbf" + line
        case 1:
            return line + rng.choice([b"\r", b" ", b"\0", b"}", b"{}", b"\r\n\r\n"])
        case 2:
            return line[:place]
        case 3:
            return line[:place] + rng.randbytes(rng.randrange(1, 4)) + line[place + rng.randrange(3) :]
        case 4:
            return (
                line[:place]
                + rng.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"])
                + line[place:]
            )
        case 5:
            return line[:place] + rng.choice([b"\\", b'"', b":", b",", b"/*", b"\0", b"\x1b", b"'"]) + line[place:]
        case 6:
            return line.decode(errors="replace").encode(rng.choice(["utf-16", "utf-16-le", "utf-32"]))
        case 7:
            return line.replace(b'":', b'" :', 1)
        case _:
            return line[:place] + line


def spoilt(rng: Random, number: int) -> bytes:
    """The next line: good one time in eight, of a repeated id as often."""
    id = f"e-{number}" if rng.random() < 0.85 else f"e-{rng.randrange(max(0, number - 40), number + 1)}"
    event = _paired(example(rng.choice(list(DATA)), id))
    if rng.random() < 0.1:
        event = _paired(example("client.asked", id))  # Most likely the same content under a repeated id.
    for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 3])):
        _spoil_structure(rng, event)
    line = text_of(event, rng).encode("utf-8", "surrogatepass")
    return _spoil_bytes(rng, line) if rng.random() < 0.3 else line
