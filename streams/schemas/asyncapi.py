"""The AsyncAPI 3.0 document: which events go over which topic, with keys, headers and schemas, all in one file."""

from typing import Any

from gate.facts import OF_REGISTER, TYPES
from streams.border.media import STRUCTURED
from streams.kafka.dead_letters import REPLAYED, REPLAYED_AS
from streams.kafka.record import ERRORS, OF_ERRORS, REASONS
from streams.kafka.topics import Topic, topics
from streams.schemas import inputs, outputs
from streams.schemas.words import IDENT_TEXT, TEXT, Schema, object_of, one_of
from streams.worker.outputs import CONTENT_TYPE

_BINDING = "0.5.0"
_PLACED = (
    "The key is the client's reference and nothing else; the partition is Kafka's default for it (murmur2 of the key). "
    "librdkafka and what is built on it do otherwise: set `partitioner=murmur2_random`. A record on another partition is "
    "never decided."
)
_INFO = (
    "The gate answers every offer before it is sent. Events are CloudEvents 1.0; structured and binary mode are both read "
    "on Kafka, structured is written. An event has at most 256 KiB. The same `source` and `id` again with the same "
    "content changes nothing, so that sending again is safe. What cannot be taken is kept, bytes unchanged, with a reason."
)
_STRUCTURED: Schema = object_of(
    {"content-type": {**TEXT, "description": f"{STRUCTURED}, with or without parameters; once."}},
    inputs.REPLAYED,
)
_KEPT = ["event.rejected", "event.replayed"]
"""What lies on the topics of dead letters."""


def _reference(*path: str) -> dict[str, str]:
    return {"$ref": "#/" + "/".join(path)}


def document() -> dict[str, Any]:
    """The whole of it. Servers are left out: every firm has its own."""
    names = topics()
    of_register = [name for name, said in TYPES.items() if said in OF_REGISTER]
    of_clients = [name for name in TYPES if name not in of_register]
    carried: dict[str, tuple[Topic, list[str], str]] = {
        "clientActions": (names.actions, _both_modes(of_clients), "receive"),
        "register": (names.register, _both_modes(of_register), "receive"),
        "decisions": (names.decisions, ["offer.decided"], "send"),
        "flaggedOffers": (names.flagged, ["offer.decided"], "send"),
        "notices": (names.notices, list(outputs.NOTICES), "send"),
        "cases": (names.cases, ["case.opened"], "send"),
        "clientActionsRejected": (names.rejected, _KEPT, "send"),
        "registerRejected": (names.register_rejected, _KEPT, "send"),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "gate61", "version": "1.0.0", "description": _INFO, "license": {"name": "Apache-2.0"}},
        "defaultContentType": STRUCTURED,
        "channels": {name: _channel(topic, messages) for name, (topic, messages, _) in carried.items()},
        "operations": {_verb(name, way): _operation(name, way, topic) for name, (topic, _, way) in carried.items()},
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _both_modes(names: list[str]) -> list[str]:
    return [message for name in names for message in (name, f"{name}.binary")]


def _verb(name: str, way: str) -> str:
    return way + name[0].upper() + name[1:]


def _channel(topic: Topic, messages: list[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {"cleanup.policy": ["delete"], "retention.ms": topic.retention}
    settings["max.message.bytes"] = topic.largest
    settings["message.timestamp.type"] = "LogAppendTime"
    kafka: dict[str, Any] = {"topic": topic.name, "topicConfiguration": settings, "bindingVersion": _BINDING}
    if topic.partitions is not None:
        kafka["partitions"] = topic.partitions
    return {
        "address": topic.name,
        "description": f"{topic.what[0].upper()}{topic.what[1:]}.",
        "messages": {name: _reference("components", "messages", name) for name in messages},
        "bindings": {"kafka": kafka},
    }


def _operation(name: str, way: str, topic: Topic) -> dict[str, Any]:
    verb = "reads" if way == "receive" else "writes"
    return {"action": way, "channel": _reference("channels", name), "summary": f"The gate {verb} {topic.what}."}


def _messages() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, said in TYPES.items():
        sentence, key = (
            inputs.said_of(name),
            {} if said in OF_REGISTER else _keyed(f"The client's reference. {_PLACED}"),
        )
        found[name] = _message(name, sentence, _STRUCTURED, _reference("components", "schemas", name), key)
        headers, data = (_reference("components", "schemas", f"{name}.{part}") for part in ("headers", "data"))
        found[f"{name}.binary"] = _message(name, sentence, headers, data, key, binary=True)
    for name, sentence in outputs.SAID.items():
        key = _keyed("The client's reference; none where a case is about no single client.")
        found[name] = _message(name, sentence, _written(name), _reference("components", "schemas", name), key)
    found["event.replayed"] = {
        "name": "event.replayed",
        "title": "A dead letter was published again",
        "summary": "A note without key and value, behind the dead letter in its partition; not an event of its own.",
        "contentType": "application/octet-stream",
        "headers": object_of(
            {
                REPLAYED: {**TEXT, "description": "The dead letter's place: `PARTITION:OFFSET`, or `register:OFFSET`."},
                REPLAYED_AS: {**TEXT, "description": "`TOPIC:PARTITION:OFFSET` of the copy."},
            }
        ),
        "payload": {"type": "null"},
    }
    found["event.rejected"] = {
        "name": "event.rejected",
        "title": "What could not be taken",
        "summary": "The record as it came, with headers that say why; not an event of its own.",
        "contentType": "application/octet-stream",
        "headers": object_of(
            {f"{ERRORS}{name}": _error(name) for name in OF_ERRORS},
            {
                f"{ERRORS}cut": {
                    **TEXT,
                    "description": "What was cut of a record that its topic of dead letters does not take.",
                }
            },
        ),
        "payload": {},
    }
    return found


def _message(
    event: str, said: str, headers: Any, payload: Any, bindings: dict[str, Any], binary: bool = False
) -> dict[str, Any]:
    return {
        "name": f"gate61.{event}.v1",
        "title": f"{event}, binary mode" if binary else event,
        "summary": f"{said[0].upper()}{said[1:]}.",
        "contentType": "application/json" if binary else CONTENT_TYPE[1].decode(),
        "headers": headers,
        "payload": payload,
        "bindings": bindings,
    }


def _keyed(said: str) -> dict[str, Any]:
    return {"kafka": {"key": {**IDENT_TEXT, "description": said}, "bindingVersion": _BINDING}}


def _written(name: str) -> Schema:
    kind: dict[str, Schema] = {"content-type": {**TEXT, "const": CONTENT_TYPE[1].decode()}}
    if name != "offer.decided":
        return object_of(kind)
    said = {
        "gate61.input": "`PARTITION:OFFSET` of the record that was answered, or what else led to it",
        "gate61.register": "the offset of the next unread record of the register",
        "gate61.read": "the offsets of the next records of policy, register, messages and actions, with dots between",
        "gate61.appended": "when the records before these were appended, in microseconds since 1970, with dots between",
        "gate61.policy": "the digest of the policy",
    }
    return object_of(kind | {header: {**TEXT, "description": text} for header, text in said.items()})


def _error(name: str) -> Schema:
    return one_of(REASONS) if name == "reason" else TEXT


def _schemas() -> dict[str, Schema]:
    found = {}
    for name in TYPES:
        found[name] = inputs.event_schema(name, _reference("components", "schemas", f"{name}.data"))
        found[f"{name}.data"] = inputs.data_schema(name)
        found[f"{name}.headers"] = inputs.headers_schema(name)
    for name, data in outputs.DATA.items():
        found[name] = outputs.event_schema(name, data)
    return found
