"""Checks the story cases against the oracle: `python3 -m tests.model.run_cases [FOLDER]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .facts import moment
from .oracle import Answer, answers

CASES = Path(__file__).resolve().parents[1] / "cases"


def differences(case: dict[str, Any]) -> list[str]:
    """What a case expects and the oracle does not say, or the other way round."""
    result = answers(case["given"])
    expected = case["expect"]
    found: list[str] = []
    keys = {(o["event"]["source"], o["event"]["id"]): o["answers"] for o in expected["offers"]}
    for key in keys.keys() | result.offers.keys():
        wanted = [_wanted(each) for each in keys.get(key, [])]
        said = [_said(each) for each in result.offers.get(key, [])]
        if wanted != said:
            found.append(f"{key[1]}: expected {wanted}, said {said}")
    rejected = sorted(_line(case["given"], each) for each in expected["rejected"])
    if rejected != result.rejected:
        found.append(f"rejected: expected {rejected}, said {result.rejected}")
    if not set(expected["cases"]) <= result.cases:
        found.append(f"cases: expected {expected['cases']}, said {sorted(result.cases)}")
    return found


def _wanted(answer: dict[str, Any]) -> tuple[object, ...]:
    codes = sorted(answer["codes"])
    send_by = None if answer["send_by"] is None else moment(answer["send_by"])
    return answer["verdict"], answer["leading"], codes, answer["may_send"], send_by


def _said(answer: Answer) -> tuple[object, ...]:
    codes = sorted(answer.codes)
    return answer.verdict, answer.leading, codes, answer.may_send, answer.send_by


def _line(given: list[Any], rejected: dict[str, Any]) -> tuple[int, str]:
    """A reject as (line, reason); of lines with one id the last is meant."""
    if "line" in rejected:
        return rejected["line"], rejected["reason"]
    lines = [
        number for number, each in enumerate(given, 1) if isinstance(each, dict) and each.get("id") == rejected["id"]
    ]
    return lines[-1], rejected["reason"]


def main(arguments: list[str]) -> int:
    """Print the differences of every case; 1 if there is any, 2 if there is no case."""
    folder = Path(arguments[0]) if arguments else CASES
    files = sorted(folder.glob("*.json"))
    wrong = 0
    for file in files:
        found = differences(json.loads(file.read_text("utf-8")))
        wrong += bool(found)
        for each in found:
            print(f"{file.stem}: {each}")
    print(f"{len(files) - wrong} of {len(files)} cases agree")
    return 2 if not files else int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
