"""The schemas that platforms get: written from the types, never stricter than the gate, and true of what comes out.

Two validators look at everything: jsonschema and fastjsonschema.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import fastjsonschema
import jsonschema
import pytest

from gate.facts import OF_REGISTER, TYPES
from gate.law import DUTIES
from streams.border.wire import Read, Rejected, instant, read
from streams.demo.month import month
from streams.kafka.dead_letters import DeadLetter
from streams.kafka.record import REASONS, murmur2, partition_of, read_record
from streams.kafka.replay import Inputs, Replay
from streams.kafka.topics import topics
from streams.schemas import outputs
from streams.schemas.files import files, schemas
from tests.commands.program import CASES, run
from tests.player import play
from tests.promises.examples import DATA, example
from tests.promises.spoiling import spoilt
from tests.stories import test_every_code as stories

FOLDER = Path(__file__).parents[2] / "deploy" / "schemas"
EXAMPLES = FOLDER / "examples"
MINUTE = 60_000_000
AT = instant("2026-03-02T10:00:05Z")
SCHEMAS = schemas()
Fits = Callable[[Any], bool]


def validators(schema: dict[str, Any]) -> tuple[Fits, Fits]:
    """Whether something fits a schema, as two libraries see it."""
    jsonschema.Draft202012Validator.check_schema(schema)
    first = jsonschema.Draft202012Validator(schema)
    second = fastjsonschema.compile(schema)

    def fits(content: Any) -> bool:
        try:
            second(content)
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    return first.is_valid, fits


FITS = {path: validators(schema) for path, schema in SCHEMAS.items()}


def fits(path: str, content: Any) -> bool:
    """Whether both libraries let it pass; they agree."""
    first, second = (each(content) for each in FITS[path])
    assert first is second, (path, content)
    return first


def lines_of(name: str) -> list[str]:
    """The examples of a file."""
    return (EXAMPLES / name).read_text().splitlines()


def taken(line: str) -> Read | Rejected:
    """What the gate makes of a line."""
    return read(line.encode("utf-8", "surrogatepass"), 0, MINUTE)


def test_the_files_are_what_the_types_say(tmp_path: Path) -> None:
    """Nobody edits them by hand: `make schemas` writes them anew."""
    for path, text in files().items():
        assert (FOLDER / path).read_text() == text, f"{path} is not what the types say; run `make schemas`"
    there = {str(p.relative_to(FOLDER)) for p in FOLDER.rglob("*.json")} | {"reasons.md"}
    assert there == set(files())
    assert run("schemas", "--write", tmp_path).returncode == 0
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")} == there
    assert run("schemas").stdout.decode() == files()["asyncapi.json"]
    assert run("schemas", "--write", "/dev/null/x").returncode == 2


@pytest.mark.parametrize("name", TYPES)
def test_good_examples_are_taken_and_bad_ones_refused_by_schema_and_gate(name: str) -> None:
    """Every field is in some good one; every field is wrong, and every one that must be there missing, in some bad one."""
    path = f"in/{name}.v1.json"
    good, bad = lines_of(f"{name}.v1.good.jsonl"), lines_of(f"{name}.v1.bad.jsonl")
    for line in good:
        assert fits(path, json.loads(line)) and isinstance(taken(line), Read), line
    for line in bad:
        assert not fits(path, json.loads(line)) and isinstance(taken(line), Rejected), line
    assert {field for line in good for field in json.loads(line)["data"]} >= set(DATA[name])
    required = set(SCHEMAS[path]["properties"]["data"]["required"])
    assert len(bad) >= len(required) + len(DATA[name])


def test_good_examples_can_be_decided() -> None:
    """All together, in a file."""
    given = "".join((EXAMPLES / f"{name}.v1.good.jsonl").read_text() for name in TYPES)
    assert run("decide", "-", stdin=given.encode()).returncode == 0


@pytest.mark.parametrize("line", lines_of("beyond-the-schemas.jsonl"))
def test_what_schemas_cannot_say_the_gate_refuses_all_the_same(line: str) -> None:
    """The id of each example begins with the reason."""
    assert fits("in/client.located.v1.json", json.loads(line))
    reject = taken(line)
    assert isinstance(reject, Rejected)
    assert f'"{reject.reason}.' in line


BEYOND = {"TOO_LARGE", "NOT_JSON", "DUPLICATE_KEY", "BAD_TIME", "FROM_THE_FUTURE"}
"""What schemas leave to the gate; and of `BAD_FIELD` only that:"""
FIELDS_BEYOND = re.compile("no time that exists|outside the years|not Unicode")


def test_no_schema_is_stricter_than_the_gate() -> None:
    """On spoilt events: what the gate takes, its schema lets pass; and but for what is listed, nothing else."""
    rng, seen, refused = Random(65), 0, 0
    for number in range(20_000):
        line = spoilt(rng, number)
        read_as = read(line, 0, MINUTE)
        try:
            event = json.loads(line.decode())
        except (ValueError, RecursionError):
            continue
        name = event.get("type", "") if isinstance(event, dict) else ""
        path = f"in/{name.removeprefix('gate61.').removesuffix('.v1')}.v1.json" if isinstance(name, str) else ""
        if path not in SCHEMAS:
            continue
        if isinstance(read_as, Read):
            assert fits(path, event), line
            seen += 1
        elif read_as.reason not in BEYOND and not FIELDS_BEYOND.search(read_as.message):
            assert not fits(path, event), (read_as, line)
            refused += 1
    assert seen > 2_000 and refused > 100


@pytest.mark.parametrize("name", TYPES)
def test_the_headers_of_binary_mode_say_the_same(name: str) -> None:
    """Those of an example fit and are read; each one that must be there is missed by both."""
    event = example(name)
    headers = {f"ce_{n}": v for n, v in event.items() if n not in ("data", "datacontenttype", "recordedtime")}
    path = f"in/{name}.v1.headers.json"
    assert set(headers) == set(SCHEMAS[path]["required"])
    for missing in (None, *headers):
        some = {n: v for n, v in headers.items() if n != missing}
        record = [(n, v.encode()) for n, v in some.items()]
        read_as = read_record(json.dumps(event["data"]).encode(), None, record, None, AT, MINUTE)
        assert fits(path, some) is isinstance(read_as, Read) is (missing is None)


def test_what_schemas_of_headers_leave_to_the_gate_stands_on_the_page() -> None:
    """Names in another case fit once they are lowered; what a content type says is the gate's alone."""
    event, path = example("client.asked"), "in/client.asked.v1.headers.json"
    headers = {f"CE_{n}": event[n] for n in ("specversion", "id", "source", "type", "subject", "time")}
    value = json.dumps(event["data"]).encode()
    kinds = {"application/json": None, "application/vnd.firm+json; charset=utf-8": None, "text/plain": "BAD_FIELD"}
    for kind, reason in kinds.items():
        said = {**headers, "Content-Type": kind}
        read_as = read_record(value, None, [(n, v.encode()) for n, v in said.items()], None, AT, MINUTE)
        assert (read_as.reason if isinstance(read_as, Rejected) else None) == reason
        assert not fits(path, said) and fits(path, {n.lower(): v for n, v in said.items()})
    page = (FOLDER / "README.md").read_text()
    assert "`content-type` of a binary event" in page and "names of headers" in page


# --- What comes out ---


def put_out() -> Iterator[dict[str, Any]]:
    """All that comes out for every case and for the demo month."""
    for path in sorted(CASES.glob("*.json")):
        yield from play(json.loads(path.read_text())["given"]).out
    yield from play(month()).out


def known_fields(schema: dict[str, Any], content: Any, where: str = "") -> Iterator[str]:
    """Fields of what came out that the schema does not name."""
    if isinstance(content, dict):
        for name, inner in content.items():
            if name in schema["properties"]:
                yield from known_fields(schema["properties"][name], inner, f"{where}.{name}")
            else:
                yield f"{where}.{name}"
    elif isinstance(content, list):
        for inner in content:
            yield from known_fields(schema["items"], inner, f"{where}[]")


def test_everything_that_comes_out_fits_and_every_field_is_described() -> None:
    """All types of output occur."""
    seen = set()
    for event in put_out():
        name = event["type"].removeprefix("gate61.").removesuffix(".v1")
        path = f"out/{name}.v1.json"
        assert fits(path, event), event
        assert not list(known_fields(SCHEMAS[path], event))
        seen.add(name)
    assert seen == set(outputs.DATA)


@pytest.mark.parametrize("name", outputs.DATA)
def test_examples_of_what_comes_out(name: str) -> None:
    """Good ones came out of a case as they stand, bad ones fit no schema."""
    path = f"out/{name}.v1.json"
    good, bad = ([json.loads(line) for line in lines_of(f"{name}.v1.{kind}.jsonl")] for kind in ("good", "bad"))
    assert good and all(fits(path, event) for event in good)
    assert bad and not any(fits(path, event) for event in bad)
    came_out = list(put_out())
    assert all(event in came_out for event in good)


def test_codes_are_those_of_the_gate() -> None:
    """Of reasons, cases and notices; a story reaches each."""
    leading = SCHEMAS["out/offer.decided.v1.json"]["properties"]["data"]["properties"]["leading"]
    assert leading["enum"] == list(DUTIES)
    why = SCHEMAS["out/case.opened.v1.json"]["properties"]["data"]["properties"]["why"]
    assert set(why["enum"]) == stories.CASES and set(outputs.NOTICES) == stories.NOTICES


# --- The AsyncAPI document ---

DOCUMENT: dict[str, Any] = json.loads((FOLDER / "asyncapi.json").read_text())


def references(it: Any) -> Iterator[str]:
    """Every `$ref` within."""
    if isinstance(it, dict):
        if "$ref" in it:
            assert set(it) == {"$ref"}, "what stands beside a reference is not read"
            yield it["$ref"]
        inner: Iterable[Any] = it.values()
    else:
        inner = it if isinstance(it, list) else ()
    for each in inner:
        yield from references(each)


def at(reference: str) -> Any:
    """What a reference points to."""
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def resolved(it: Any) -> Any:
    """The same with references followed."""
    if isinstance(it, dict):
        return resolved(at(it["$ref"])) if "$ref" in it else {k: resolved(v) for k, v in it.items()}
    return [resolved(v) for v in it] if isinstance(it, list) else it


def test_the_document_is_well_formed() -> None:
    """As AsyncAPI 3.0.0 wants it: every reference leads somewhere, every operation to a channel, names are of its letters."""
    assert DOCUMENT["asyncapi"] == "3.0.0" and {"title", "version"} <= set(DOCUMENT["info"])
    assert all(at(reference) is not None for reference in references(DOCUMENT))
    for kind in DOCUMENT["components"].values():
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in kind)
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert at(operation["channel"]["$ref"])["address"].startswith("gate61.")
    for message in DOCUMENT["components"]["messages"].values():
        assert resolved(message["headers"])["type"] == "object"
        assert {"name", "title", "summary", "contentType", "payload"} <= set(message)
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_document_says_the_same_as_the_schemas() -> None:
    """Payloads and headers of every message, in both modes."""
    for name in TYPES:
        whole, binary = (DOCUMENT["components"]["messages"][m] for m in (name, f"{name}.binary"))
        plain = {k: v for k, v in SCHEMAS[f"in/{name}.v1.json"].items() if k in ("type", "required", "properties")}
        assert resolved(whole["payload"]) == plain
        assert resolved(binary["payload"]) == plain["properties"]["data"]
        headers = SCHEMAS[f"in/{name}.v1.headers.json"]
        assert resolved(binary["headers"])["properties"] == headers["properties"]
    for name in outputs.DATA:
        message = DOCUMENT["components"]["messages"][name]
        assert resolved(message["payload"])["properties"] == SCHEMAS[f"out/{name}.v1.json"]["properties"]


def test_the_document_says_what_goes_over_which_topic() -> None:
    """Every public topic with its settings; of clients all that is keyed by them; why a record could not be taken."""
    names = topics()
    by_address = {c["address"]: c for c in DOCUMENT["channels"].values()}
    assert set(by_address) == {t.name for t in names} - {names.policy.name, names.between.name, names.clock.name}
    for topic in names:
        if topic.name in by_address:
            kafka = by_address[topic.name]["bindings"]["kafka"]
            assert kafka["topicConfiguration"]["max.message.bytes"] == topic.largest
            assert kafka.get("partitions") == topic.partitions
    of_clients = {n for n, said in TYPES.items() if said not in OF_REGISTER}
    assert set(by_address[names.actions.name]["messages"]) == of_clients | {f"{n}.binary" for n in of_clients}
    for name in of_clients:
        key = DOCUMENT["components"]["messages"][name]["bindings"]["kafka"]["key"]
        assert "murmur2_random" in key["description"]
    errors = DOCUMENT["components"]["messages"]["event.rejected"]["headers"]["properties"]
    assert errors["gate61.errors.reason"]["enum"] == list(REASONS)


async def test_all_that_a_replay_publishes_is_in_the_document() -> None:
    """A copy, among the inputs, and a note that shares its topic with the dead letters."""
    sent: list[tuple[str, dict[str, str], bytes | None]] = []

    class Producer:
        def create_batch(self) -> Any:
            return SimpleNamespace(append=lambda **given: setattr(self, "given", given))

        async def send_batch(self, _: Any, topic: str, partition: int) -> Any:
            given = self.given  # type: ignore[attr-defined]
            sent.append((topic, {name: (value or b"").decode() for name, value in given["headers"]}, given["value"]))
            kept = asyncio.get_running_loop().create_future()
            kept.set_result(SimpleNamespace(offset=7))
            return kept

    names, value = topics(), json.dumps(example("client.located")).encode()
    errors = {"topic": names.actions.name, "reason": "WRONG_PARTITION"}
    headers = (("content-type", b"application/cloudevents+json"),)
    letter = DeadLetter(
        "3:4", names.rejected.name, 3, 4, AT, example("client.located")["subject"].encode(), value, headers, errors
    )
    replay = Replay(Producer(), Inputs(names, {names.actions.name: 48}, MINUTE), {})
    assert [done.what async for done in replay.run([letter], AT)] == ["sent"]
    by_address = {c["address"]: resolved(c["messages"]) for c in DOCUMENT["channels"].values()}
    for topic, said, payload in sent:
        name = "client.located" if payload else "event.replayed"
        described = by_address[topic][name]
        assert validators(described["headers"])[0](said) and set(said) <= set(described["headers"]["properties"])
    assert [payload for _, _, payload in sent] == [value, None]
    assert set(by_address[names.rejected.name]) == {"event.rejected", "event.replayed"}


# --- The page for other clients ---


def test_the_page_places_keys_where_they_belong() -> None:
    """Its table is what people check their partitioner by."""
    rows = re.findall(r"^\| `(.+)` \| (\d+) \| (\d+) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert len(rows) == 4
    for key, hashed, partition in rows:
        assert (murmur2(key.encode()), partition_of(key.encode(), 48)) == (int(hashed), int(partition))
    assert sum(int(hashed) >= 2**31 for _, hashed, _ in rows) == 3


def test_the_pages_two_records_are_read_and_say_the_same() -> None:
    """Whoever copies one of them has his offer judged."""
    records: list[tuple[bytes, list[tuple[str, bytes]], bytes]] = []
    for block in re.findall(r"^    key +(.*\n(?:    .*\n)+)", (FOLDER / "README.md").read_text(), re.MULTILINE):
        key, rest = block.split("\n", 1)
        headers, value = rest.split("    value")
        pairs = (line.removeprefix("    header").strip().split(": ", 1) for line in headers.splitlines())
        records.append((key.encode(), [(name, content.encode()) for name, content in pairs], value.encode()))
    structured, binary = (
        read_record(value, key, headers, (partition_of(key, 48), 48), AT, MINUTE) for key, headers, value in records
    )
    assert isinstance(structured, Read) and structured == binary
