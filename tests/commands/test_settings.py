"""Settings are complained about all at once, and say no secret."""

import json
import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.main import get_command

from streams.alerts.config import ConfigRefused, load
from streams.cli import app
from streams.commands.common import list_seconds, question_seconds
from streams.desk.access.oidc_settings import oidc_settings
from streams.desk.running import _name_of
from streams.doctor.brokers import topics as topics_found
from streams.feed import gate_of
from streams.kafka.administration import Found, Planned, Refusal
from streams.kafka.topics import topics
from streams.policy_file import DEFAULT
from streams.settings import KNOWN, OIDC_BEGIN, SettingsRefused, secret_in, settings
from streams.worker.app import application
from tests.commands.program import run

README = Path(__file__).parents[2] / "README.md"
GOOD = {"GATE61_KAFKA": "kafka-1:9092, kafka-2:9092", "GATE61_REDIS": "redis://127.0.0.1:6379/0"}
SIGNED_IN = GOOD | {"GATE61_KAFKA_SECURITY": "SASL_SSL", "GATE61_KAFKA_USER": "gate"}


def test_brokers_and_redis_are_enough() -> None:
    """All else has a default."""
    found = settings(GOOD)
    assert found.kafka.servers == ("kafka-1:9092", "kafka-2:9092")
    assert (found.partitions, found.group, found.health) == (48, "gate61", ("127.0.0.1", 6061))


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Each with what to do."""
    wrong = {
        "GATE61_KAFKA": "kafka",
        "GATE61_KAFKA_SECURITY": "SASL_SSL",
        "GATE61_KAFKA_PASSWORD_FILE": str(tmp_path / "none"),
        "GATE61_KAFKA_CA": str(tmp_path / "none"),
        "GATE61_REDIS": "localhost",
        "GATE61_POLICY": str(tmp_path / "none"),
        "GATE61_PREFIX": "a b",
        "GATE61_GROUP": "",
        "GATE61_INSTANCE": "",
        "GATE61_PARTITIONS": "0",
        "GATE61_HEALTH": "0.0.0.0:80",
    }
    with pytest.raises(SettingsRefused) as refused:
        settings(wrong)
    said = "\n".join(refused.value.complaints)
    for name in (*wrong.keys() - {"GATE61_KAFKA_SECURITY"}, "GATE61_KAFKA_USER"):
        assert name in said, name
    assert "loopback" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATE61_REDIS", "redis://[::1"),
        ("GATE61_REDIS", "redis://127.0.0.1:99999"),
        ("GATE61_REDIS", "redis://127.0.0.1:quiet"),
        ("GATE61_REDIS", "redis://127.0.0.1:0/0"),
        ("GATE61_REDIS", "REDIS://127.0.0.1"),
        ("GATE61_REDIS", "redis://127.0.0.1?socket_timeout=soon"),
        ("GATE61_REDIS", "redis://127.0.0.1?quiet=1"),
        ("GATE61_REDIS", "redis://127.0.0.1?decode_responses=true"),
        ("GATE61_REDIS", "redis://127.0.0.1?max_connections=1&db=1"),
        ("GATE61_REDIS", "rediss://127.0.0.1?ssl_cert_reqs=quiet"),
        ("GATE61_REDIS", "redis://gate:4711/quiet@127.0.0.1:6379/0"),
        ("GATE61_REDIS", "redis://gate:4711#quiet@127.0.0.1:6379/0"),
        ("GATE61_REDIS", "redis://:quiet@/0"),
        ("GATE61_REDIS", "redis://127.0.0.1:6379/one"),
        ("GATE61_REDIS", "redis://127.0.0.1:6379/1x"),
        ("GATE61_REDIS", "redis://127.0.0.1:6379/-1"),
        ("GATE61_REDIS", "redis://127.0.0.1:6379/0/"),
        ("GATE61_REDIS", "unix://run/redis.sock"),
        ("GATE61_REDIS", "unix:///run/redis.sock#quiet"),
        ("GATE61_HEALTH", "127.0.0.1:99999"),
        ("GATE61_HEALTH", "127.0.0.1:0"),
        ("GATE61_HEALTH", "[::1]:65536"),
        ("GATE61_KAFKA", "kafka-1:0"),
        ("GATE61_KAFKA", "kafka-1:65536"),
    ],
)
def test_an_address_that_cannot_be_used_is_a_complaint(name: str, value: str) -> None:
    """With what to do, and without what may be a secret in it; all others are said too."""
    with pytest.raises(SettingsRefused) as refused:
        settings(GOOD | {"GATE61_PARTITIONS": "0", name: value})
    said = refused.value.complaints
    assert len(said) == 2 and sum(name in line and "; " in line for line in said) == 1
    assert "quiet" not in str(refused.value)


@pytest.mark.parametrize("value", ["9" * 5_000, "0", "10001", "1e3", "٣"])
def test_a_number_that_cannot_be_used_is_a_complaint(value: str) -> None:
    """However long: Python itself reads no number of so many digits."""
    with pytest.raises(SettingsRefused, match=r"GATE61_PARTITIONS .* must be a whole number from 1 to 10000"):
        settings(GOOD | {"GATE61_PARTITIONS": value})


def test_addresses_that_can_be_used_are_taken() -> None:
    """At the edges."""
    for url in (
        "redis://h/",
        "unix://:pw@/run/redis.sock",
        "redis://h",
        "rediss://u:p@h:6380/2",
        "unix:///run/redis.sock?db=1",
        "redis://[::1]:65535?protocol=3",
        "rediss://h?ssl_check_hostname=false&ssl_cert_reqs=none",
    ):
        assert settings(GOOD | {"GATE61_REDIS": url}).redis == url
    health = settings(GOOD | {"GATE61_HEALTH": "[::1]:65535"})
    assert health.health == ("::1", 65535)
    app, _ = application(health)
    assert str(app.conf.canonical_url) == "http://[::1]:65535" and app.conf.web_bind == "::1"


@pytest.mark.parametrize("url", ["http://[::1", "http://h:99999", "http://h:x", "http://h:0", "h:8061", "http://h?a"])
def test_a_gate_that_cannot_be_read_is_a_complaint(url: str) -> None:
    """Of those who follow an embedded one."""
    with pytest.raises(SettingsRefused, match="GATE61_URL is no address; use"):
        gate_of({"GATE61_URL": url})


def test_the_address_of_a_gate_holds_no_secret() -> None:
    """It stands in the title of a screen, and in whatever is said of trouble."""
    with pytest.raises(SettingsRefused, match="GATE61_URL names a user; name the gate alone, and the file") as refused:
        gate_of({"GATE61_URL": "http://bob:quiet@127.0.0.1:8061"})
    assert "quiet" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://[::1", "https://desk:99999", "http://desk", "https://desk/path", "https://:1"]
)
def test_a_name_of_the_desk_that_cannot_be_used_is_refused(url: str) -> None:
    """With what it is instead."""
    found: list[str] = []
    assert _name_of("127.0.0.1", url, found) is None
    assert len(found) == 1 and "it is https://NAME" in found[0]


def test_a_service_complains_of_everything_at_once(tmp_path: Path) -> None:
    """Exit 2, a line each with what to do, and nothing is made."""
    wrong = {
        "GATE61_POLICY": "/nope",
        "GATE61_KEYS": "/nope",
        "GATE61_LIST_BUDGET": "x",
        "GATE61_ASK_BUDGET": "y",
        "GATE61_STATE": str(tmp_path / "none" / "gate.db"),
    }
    done = run("serve", "--embedded", settings=wrong)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 2 and lines[0] == "gate61: settings are refused:" and len(lines) == 6, lines
    said = ("GATE61_STATE", "none for the default", "gate61 keys add", "GATE61_ASK_BUDGET is `y`")
    for line, words in zip(lines[1:], (*said, "GATE61_LIST_BUDGET is `x`"), strict=True):
        assert words in line
    assert not (tmp_path / "none").exists()
    folder = run("serve", "--embedded", "--state", tmp_path)
    assert folder.returncode == 2 and b"is a folder; name a file" in folder.stderr


def test_the_ask_service_complains_of_everything_at_once() -> None:
    """Also of what the worker does not know."""
    wrong = {
        "GATE61_REDIS": "redis://[::1",
        "GATE61_HEALTH": "127.0.0.1:99999",
        "GATE61_KEYS": "/nope",
        "GATE61_ASK_LAG": "0",
        "GATE61_ASK_BUDGET": "nan",
        "GATE61_LIST_BUDGET": "301",
    }
    done = run("ask", settings=wrong)
    said = done.stderr.decode()
    assert done.returncode == 2 and said.count("\n  - ") == len(wrong) + 1, said
    for name in (*wrong.keys() - {"GATE61_KEYS"}, "GATE61_KAFKA", "/nope"):
        assert name in said


def test_the_desk_complains_of_everything_at_once(tmp_path: Path) -> None:
    """Of the gate, of how browsers reach it, of where people sign in; each once, and no store is made."""
    store = tmp_path / "desk.db"
    wrong = {
        "GATE61_KAFKE": "kafka-1:9092",
        "GATE61_DESK_URL": "http://desk",
        "GATE61_DESK_OIDC_ISSUER": "https://login.example",
    }
    done = run("desk", "--store", store, settings=wrong)
    said = done.stderr.decode()
    for words in ("do you mean GATE61_KAFKA?", "neither GATE61_URL", "DESK_URL is `", "CLIENT is", "SECRET_FILE is"):
        assert said.count(words) == 1, said
    assert done.returncode == 2 and said.count("\n  - ") == 5 and not store.exists()
    open_ = run("desk", "--store", store, "--host", "0.0.0.0")
    assert open_.returncode == 2 and open_.stderr.count(b"\n  - ") == 2 and b"put something before" in open_.stderr


def test_the_alerts_complain_of_everything_at_once(tmp_path: Path) -> None:
    """Of the gate, of keys, and of the file of channels; no store is made."""
    config, store = tmp_path / "alerts.toml", tmp_path / "alerts.db"
    config.write_text("a = 1")
    wrong = {"GATE61_URL": "h:8061", "GATE61_KEYS": "/nope", "GATE61_ALERT": "x"}
    done = run("alerts", "--config", config, "--store", store, settings=wrong)
    said = done.stderr.decode()
    for words in (
        "do you mean GATE61_ALERTS",
        "GATE61_URL is no address",
        "`/nope`",
        "`a` is no setting here",
        "no channel",
    ):
        assert said.count(words) == 1, said
    assert done.returncode == 2 and said.count("\n  - ") == 5 and not store.exists()


def test_the_doctor_finds_every_setting_that_cannot_be_used() -> None:
    """Exit 1, a finding each with what to do."""
    wrong = {"GATE61_REDIS": "redis://[::1", "GATE61_HEALTH": "127.0.0.1:99999"}
    done = run("doctor", "--json", settings=wrong)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (1, b"")
    assert [f["what"].split()[0] for f in found] == ["GATE61_KAFKA", "GATE61_REDIS", "GATE61_HEALTH"]
    assert all(f["about"] == "settings" and f["do"] for f in found)


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither of Kafka nor of Redis, whatever prints the settings."""
    secret = tmp_path / "password"
    secret.write_text("hush\n")
    given = GOOD | {
        "GATE61_REDIS": "redis://:quiet@127.0.0.1:6379/0",
        "GATE61_KAFKA_SECURITY": "SASL_SSL",
        "GATE61_KAFKA_USER": "gate",
        "GATE61_KAFKA_PASSWORD_FILE": str(secret),
    }
    found = settings(given)
    assert found.kafka.password == "hush"
    assert "hush" not in repr(found) + repr(found.kafka) and "quiet" not in repr(found)


def _complaints(file: Path, folder: Path) -> list[str]:
    """What each who reads a secret says of its file."""
    found: list[str] = []
    provider = {"ISSUER": "https://login.example", "CLIENT": "desk", "SECRET_FILE": str(file)}
    oidc_settings({f"GATE61_DESK_OIDC_{name}": value for name, value in provider.items()}, "https://desk", found)
    channels = folder / "alerts.toml"
    channels.write_text(CHANNEL.format(file=file))
    kafka = {"GATE61_KAFKA_SECURITY": "SASL_SSL", "GATE61_KAFKA_USER": "me", "GATE61_KAFKA_PASSWORD_FILE": str(file)}
    for read in (
        lambda: settings(GOOD | kafka),
        lambda: gate_of({"GATE61_URL": "http://h:1", "GATE61_KEY_FILE": str(file)}),
        lambda: load(channels, {}),
    ):
        with pytest.raises((SettingsRefused, ConfigRefused)) as refused:
            read()
        assert isinstance(refused.value, SettingsRefused | ConfigRefused)
        found += refused.value.complaints
    return found


CHANNEL = """
[[channel]]
name = "siem"
kind = "webhook"
url = "https://siem.example/"
secret_file = "{file}"
"""


@pytest.mark.parametrize(
    ("held", "wrong"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (b"hush \xff", "cannot be read as text"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused_by_all_who_read_one(
    tmp_path: Path, held: bytes | None, wrong: str
) -> None:
    """In one way: of the brokers, of the embedded gate, of the provider and of alerts; no part of it is said."""
    file = tmp_path / "secret"
    if held is not None:
        file.write_bytes(held)
    said = _complaints(file, tmp_path)
    assert len(said) == 4 and all(f"`{file}`, which {wrong}" in line for line in said), said
    assert "hush" not in "".join(said)


def test_a_secret_is_one_line_without_what_an_editor_put_around_it(tmp_path: Path) -> None:
    """A byte-order mark, blanks and the end of the line are no part of a password."""
    for held in (b"hush", b"hush\n", b"\xef\xbb\xbfhush\r\n", b"  hush \n\n"):
        (tmp_path / "secret").write_bytes(held)
        assert secret_in(tmp_path / "secret") == "hush"
    for held in (b"hush\nhush again\n", b"hush\r\nhush again"):
        (tmp_path / "secret").write_bytes(held)
        said = _complaints(tmp_path / "secret", tmp_path)
        assert sum("which holds more than one line; " in line for line in said) == 3, said
        assert "hush" not in "".join(said)


def test_a_misspelt_setting_is_refused_with_the_one_that_is_meant() -> None:
    """How many partitions there are is fixed for life: a misspelt one would be found out too late."""
    with pytest.raises(SettingsRefused, match="GATE61_PARTITION is no setting; do you mean GATE61_PARTITIONS"):
        settings(GOOD | {"GATE61_PARTITION": "12"})
    with pytest.raises(SettingsRefused, match="GATE61_KEYFILE is no setting; do you mean GATE61_KEY_FILE"):
        gate_of({"GATE61_URL": "http://h:1", "GATE61_KEYFILE": "key"})
    for wrong, meant in (("GROOP", "GROUP"), ("REDUS", "REDIS"), ("PREFX", "PREFIX"), ("KEYSS", "KEYS"), ("UR", "URL")):
        with pytest.raises(SettingsRefused, match=f"GATE61_{wrong} is no setting; do you mean GATE61_{meant}"):
            settings(GOOD | {f"GATE61_{wrong}": "x"})
    with pytest.raises(SettingsRefused, match="do you mean GATE61_GROUP"):
        settings(GOOD | {"GATE61_GRUOP": "x"})
    for command in (
        ("decide", "-"),
        ("serve", "--embedded"),
        ("policy", "check", "deploy/policy/default.toml"),
        ("desk", "users", "list"),
        ("alerts", "test", "siem"),
        ("alerts", "channels"),
        ("alerts", "enable", "siem"),
        ("alerts", "dead", "list"),
    ):
        done = run(*command, GATE61_POLICI="strict.toml")
        assert done.returncode == 2 and b"do you mean GATE61_POLICY?" in done.stderr, command


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("POLICY_FILE", "POLICY"),
        ("KAFKA_PARTITIONS", "PARTITIONS"),
        ("PARTITION_COUNT", "PARTITIONS"),
        ("MECHANISM", "KAFKA_MECHANISM"),
        ("KAFKA_SASL_MECHANISM", "KAFKA_MECHANISM"),
        ("KAFKA_SECURITY_MECHANISM", "KAFKA_MECHANISM"),
        ("CA", "KAFKA_CA"),
        ("KAFKA_PREFIX", "PREFIX"),
        ("TOPIC_PREFIX", "PREFIX"),
        ("REPLICATION_FACTOR", "REPLICATION"),
        ("STATE_FILE", "STATE"),
        ("DESK_ODIC_ISSUER", "DESK_OIDC_ISSUER"),
        ("OIDC_ISSUER", "DESK_OIDC_ISSUER"),
        ("KAFKA_PASSWORD", "KAFKA_PASSWORD_FILE"),
        ("REDIS_URL", "REDIS"),
        ("KEYS_FILE", "KEYS"),
        ("KEYS_FILE", "KEY_FILE"),
        ("HEALTH_PORT", "HEALTH"),
    ],
)
def test_a_setting_by_a_name_of_ones_own_is_refused_with_what_may_be_meant(wrong: str, meant: str) -> None:
    """Passed over, a gate would run with passwords in the clear, or other partitions, and nobody would see it."""
    with pytest.raises(SettingsRefused) as refused:
        settings(GOOD | {f"GATE61_{wrong}": "hush"})
    (said,) = refused.value.complaints
    assert said.startswith(f"GATE61_{wrong} is no setting; ") and "hush" not in said
    assert f"GATE61_{meant}" in said.replace("?", " ").split(), said


def test_whatever_is_no_setting_is_refused() -> None:
    """Also what is like none, and a setting that was given no value: for nobody knows what it was to be."""
    with pytest.raises(SettingsRefused, match=r"GATE61_QUX is no setting; unset it, or see in README\.md"):
        settings(GOOD | {"GATE61_QUX": "x"})
    for name in sorted(KNOWN):
        with pytest.raises(SettingsRefused, match=f"{name} is empty; give it a value, or unset it"):
            gate_of({"GATE61_URL": "http://h:1", name: " "})


def test_commands_on_files_refuse_only_what_is_like_a_setting(tmp_path: Path) -> None:
    """They look at the policy alone: what else is set on that machine is none of their business."""
    file = tmp_path / "none.jsonl"
    file.touch()
    assert run("decide", file, GATE61_QUX="1", GATE61_KAFKA="", GATE61_POLICY="").returncode == 0
    done = run("decide", file, GATE61_POLICY_FILE="firm.toml")
    assert done.returncode == 2 and b"do you mean GATE61_POLICY?" in done.stderr


def test_what_kubernetes_says_of_services_is_left_alone() -> None:
    """Of one called gate61 and of one called gate61-redis, but not what only looks like it."""
    ports = "PORT PORT_8061_TCP PORT_8061_TCP_ADDR PORT_8061_TCP_PORT PORT_8061_TCP_PROTO SERVICE_HOST SERVICE_PORT"
    for name in (*ports.split(), "SERVICE_PORT_HTTP"):
        for service in ("GATE61_", "GATE61_REDIS_"):
            settings(GOOD | {f"{service}{name}": "tcp://10.0.0.1:8061"})
    with pytest.raises(SettingsRefused, match="GATE61_PORT is no setting"):
        settings(GOOD | {"GATE61_PORT": "8061"})


def test_who_demands_no_key_is_told_that_a_key_to_show_is_not_one() -> None:
    """The names differ by a letter, and the gate would stand open."""
    done = run("serve", "--embedded", GATE61_KEY_FILE="gate61.keys")
    assert done.returncode == 2 and b"GATE61_KEY_FILE is the key to show to a gate" in done.stderr
    assert b"the keys that it demands in GATE61_KEYS" in done.stderr


def test_who_reads_a_gate_shows_it_a_key_and_may_demand_none(tmp_path: Path) -> None:
    """Alerts are of a gate, and are none."""
    key, config = tmp_path / "key", tmp_path / "alerts.toml"
    key.write_text("a-key\n")
    done = run("alerts", "--config", config, GATE61_URL="h:8061", GATE61_KEY_FILE=str(key))
    assert done.returncode == 2 and b"GATE61_URL is no address" in done.stderr
    assert b"GATE61_KEY_FILE" not in done.stderr


def test_every_setting_that_is_read_is_known() -> None:
    """Of a setting that is not, nobody finds out that it is misspelt."""
    named = {
        name
        for path in Path("streams").rglob("*.py")
        for name in re.findall(r"\"(GATE61_[A-Z_]*[A-Z])\"", path.read_text())
    }
    assert {name for name in named - KNOWN if not name.startswith("GATE61_DESK_OIDC_")} == set()


@pytest.mark.parametrize("security", ["PLAINTEXT", "SSL"])
def test_who_would_not_be_signed_in_is_not_told_that_he_is(security: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        settings(GOOD | {"GATE61_KAFKA_SECURITY": security, "GATE61_KAFKA_USER": "me"})
    assert refused.value.complaints[0].startswith(f"GATE61_KAFKA_USER is set, but GATE61_KAFKA_SECURITY is {security}")


def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(SettingsRefused, match=f"GATE61_KAFKA_CA names `{file}`, which holds no certificates"):
        settings(GOOD | {"GATE61_KAFKA_SECURITY": "SSL", "GATE61_KAFKA_CA": str(file)})
    for named in (file, tmp_path / "none.pem"):
        with pytest.raises(SettingsRefused, match=f"GATE61_REDIS names `{named}`, which holds no certificates"):
            settings(GOOD | {"GATE61_REDIS": f"rediss://:quiet@h/0?ssl_ca_certs={named}"})


def test_a_reason_that_no_dead_letter_has_is_refused() -> None:
    done = run("dlq", "list", "--reason", "FOO", settings=GOOD)
    assert done.returncode == 2 and b"`FOO` is no reason of a dead letter; there are NOT_UTF8, " in done.stderr


def test_a_worker_complains_of_its_policy_together_with_the_rest(tmp_path: Path) -> None:
    """Whoever mends settings mends them in one go."""
    policy = tmp_path / "policy.toml"
    policy.write_text(DEFAULT.read_text().replace("hard_days = 10", "hard_days = 28"))
    done = run("worker", GATE61_POLICY=str(policy), GATE61_PARTITIONS="0")
    said = done.stderr.decode()
    assert done.returncode == 2
    for name in ("GATE61_KAFKA", "GATE61_REDIS", "GATE61_PARTITIONS", f"policy `{policy}`: `window.hard_days`"):
        assert name in said, name


def test_doctor_sends_nobody_to_what_would_refuse() -> None:
    """Where one topic must not be touched none is, and what is wrong with that one has a way of its own."""
    found = Found(1, 1, 1, {"min.insync.replicas": "1"}, {0: (0, 1)})
    register, actions, flagged, *_ = (
        Planned(topic, 1, 1, {"retention.ms": "-1"}, ("retention.ms 1 -> -1",), found=found) for topic in topics()
    )
    refused = replace(register, refusals=(Refusal("is compacted", "publish everything again"),))
    told = [(f.what.split("`")[2].split(":")[0], f.do) for f in topics_found([refused, actions])]
    assert told == [
        (" is compacted", "publish everything again"),
        (" is not as it must be", "make it so: `gate61 topics apply`, once it refuses none of the others"),
    ]
    (alone,) = topics_found([flagged])
    assert alone.do == "make it so: `gate61 topics apply`"


def listed() -> dict[str, tuple[str, set[str]]]:
    """The README's table of settings: of each its default and which commands use it; Kafka's are those that it says."""
    text = README.read_text()
    rows = re.findall(r"^\| `(GATE61_\w+)` \|(.*?)\| (.*?) \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) == len({name for name, *_ in rows}) and all(says for *_, says in rows)
    ((kafkas,),) = [re.findall(r"\*Kafka's\* are (.*?)\.\n", text, re.DOTALL)]
    return {
        name: (default.strip(" `"), set(re.findall(r"`(\w+)[^`]*`", kafkas if used == "Kafka's" else used)))
        for name, default, used, _ in rows
    }


def by_options() -> dict[str, dict[str, set[str]]]:
    """By setting that an option of some command names: the defaults there, and which commands these are."""
    found: dict[str, dict[str, set[str]]] = {}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for parameter in [
            *command.params,
            *(p for each in getattr(command, "commands", {}).values() for p in each.params),
        ]:
            if parameter.envvar:
                default = "" if parameter.default is None else str(parameter.default)
                found.setdefault(parameter.envvar, {}).setdefault(default, set()).add(name)
    return found


def test_the_readme_lists_every_setting() -> None:
    """And none that there is not; every command that it names is one."""
    table = listed()
    assert table.keys() == KNOWN
    commands = {*get_command(app).commands}  # type: ignore[attr-defined]
    assert all(used and used <= commands for _, used in table.values())


def test_the_readme_says_the_default_of_every_setting(tmp_path: Path) -> None:
    """As the commands have it where nothing is set."""
    said = {name: default for name, (default, _) in listed().items()}
    found, host = settings(GOOD), "https://desk.firm.example"
    (tmp_path / "secret").write_text("hush")
    begin = f"{OIDC_BEGIN}"
    given = {f"{begin}ISSUER": "https://login.firm.example", f"{begin}CLIENT": "desk"}
    oidc = oidc_settings(given | {f"{begin}SECRET_FILE": str(tmp_path / "secret")}, host, [])
    assert oidc is not None and oidc.name == "login.firm.example" and oidc.role_prefix == found.prefix == ""
    assert said["GATE61_PREFIX"] == said[f"{begin}ROLE_PREFIX"] == "nothing"
    assert (found.policy, found.replication, found.kafka.ca) == (None, None, None)
    told = {
        "PARTITIONS": found.partitions,
        "GROUP": found.group,
        "HEALTH": "{}:{}".format(*found.health),
        "KAFKA_SECURITY": found.kafka.security,
        "KAFKA_MECHANISM": settings(
            SIGNED_IN | {"GATE61_KAFKA_PASSWORD_FILE": str(tmp_path / "secret")}
        ).kafka.mechanism,
        "ASK_BUDGET": f"{question_seconds(None, []):g}",
        "LIST_BUDGET": f"{list_seconds(None, []):g}",
        "DESK_OIDC_ROLE_CLAIM": oidc.role_claim,
        "DESK_OIDC_SCOPE": oidc.scope,
    }
    assert {name: said[f"GATE61_{name}"] for name in told} == {name: str(value) for name, value in told.items()}
    for name, defaults in by_options().items():
        assert name == "GATE61_POLICY" or {said[name]} == {*defaults}, name


def test_the_readme_says_which_commands_use_a_setting() -> None:
    """Those with an option for it; and by what else is asked of the settings, those that stop without it.

    Of how topics are to be made, those that plan it; what Kafka has of them all others ask Kafka.
    """
    table = listed()
    code = {file: file.read_text() for file in (README.parent / "streams").rglob("*.py")}
    planning = {
        file
        for file, text in code.items()
        if re.search(r"^ *from streams.kafka.administration import .*\bplan\b", text, re.M)
    }
    for name in ("partitions", "replication"):
        assert [file.name for file, text in code.items() if f"settings.{name}" in text] == ["administration.py"]
        commands = {file.stem if file.parent.name == "commands" else file.parent.name for file in planning}
        assert table[f"GATE61_{name.upper()}"][1] == commands
    for name, defaults in by_options().items():
        with_option = {command for commands in defaults.values() for command in commands}
        assert table[name][1] - {"worker", "doctor", "dlq"} == with_option, name
    environment = {"GATE61_KAFKA": "127.0.0.1:1"}
    for command in sorted(table["GATE61_REDIS"][1] - {"desk"}):
        words = [command, "--check"] if command == "rebuild" else [command]
        done = run(*words, settings=environment)
        assert b"GATE61_REDIS is missing" in done.stdout + done.stderr, command
