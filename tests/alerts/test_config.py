"""The file of channels: complained about all at once, with no secret in any complaint."""

import re
import subprocess
from pathlib import Path

import pytest

from streams.alerts.config import PAGERDUTY, Config, ConfigRefused, load
from tests.alerts.telling import SHARED
from tests.commands.program import ENVIRONMENT, PROGRAM, run

CHANNEL = '[[channel]]\nname="a"\nkind="webhook"\nurl="https://a.example/"\nsecret_file="key"\n'
SAMPLE = Path(__file__).parent.parent.parent / "deploy" / "alerts" / "alerts.toml"
README = SAMPLE.parents[2] / "README.md"


def read(folder: Path, text: str, **environment: str) -> Config:
    """The file with that text."""
    path = folder / "alerts.toml"
    path.write_text(text)
    return load(path, environment)


def complaints(folder: Path, text: str, **environment: str) -> str:
    """What is said of it."""
    with pytest.raises(ConfigRefused) as refused:
        read(folder, text, **environment)
    return "\n".join(refused.value.complaints)


def test_the_sample_is_read(tmp_path: Path) -> None:
    """As it is shipped with one channel, and with all that may be taken in, its secrets where it names them."""
    (tmp_path / "siem.key").write_text(f"{SHARED}\n{SHARED}\n")
    assert [*read(tmp_path, SAMPLE.read_text()).channels] == ["siem"]
    given = {"PAGERDUTY_KEY": "R" * 32, "COMPLIANCE_CHAT": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#held"}
    found = read(tmp_path, re.sub(r"^#(?! )", "", SAMPLE.read_text(), flags=re.MULTILINE), **given)
    siem, duty, chat = found.channels.values()
    assert (siem.show_client, duty.show_client, chat.show_client) == (True, False, False)
    assert (siem.closings, duty.closings, chat.closings) == (True, True, False)
    assert duty.url == PAGERDUTY and duty.severity == 2
    assert found.grouping == Config({}).grouping  # The sample shows the defaults.


def test_the_first_commands_of_the_readme_succeed(tmp_path: Path) -> None:
    """Whoever copies the sample and makes a key as it says has a file that is taken."""
    block = re.search(r"^    cp deploy/alerts/.*?\n(?=\n)", README.read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    (tmp_path / "deploy").symlink_to(SAMPLE.parents[1])
    first, second, check, _ = block[0].splitlines()
    subprocess.run(f"{first}\n{second}", shell=True, cwd=tmp_path, check=True)
    words = check.partition("#")[0].split()[1:]
    done = subprocess.run([PROGRAM, *words], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=False)
    assert done.returncode == 0 and b"siem" in done.stdout, done
    assert (tmp_path / "siem.key").stat().st_mode & 0o077 == 0


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Each with its channel and what to do."""
    said = complaints(
        tmp_path,
        """
        allow_host = ["a"]
        allow_hosts = ["a b"]
        [grouping]
        quiet_seconds = "long"
        flood_groups = 0
        wait = 1
        [[channel]]
        name = "a b"
        kind = "sms"
        [[channel]]
        name = "one"
        kind = "webhook"
        url = "http://hooks.example/"
        secret_env = "NOT_SET"
        colour = "red"
        verdicts = ["allow"]
        reasons = ["NO_SUCH"]
        severity = "high"
        show_client = 1
        [[channel]]
        name = "one"
        kind = "webhook"
        url = "https://user:hush@hooks.example/"
        secret_env = "SHORT"
        [[channel]]
        name = "public"
        kind = "webhook"
        url = "https://hooks.example/"
        secret_env = "PUBLIC"
        [[channel]]
        name = "chat"
        kind = "apprise"
        url = "slack://hush"
        [[channel]]
        name = "chat2"
        kind = "apprise"
        url_env = "CHAT"
        [[channel]]
        name = "duty"
        kind = "pagerduty"
        secret_file = "none.key"
        closings = false
        """,
        SHORT="whsec_aHVzaA==",
        PUBLIC="whpk_aHVzaA==",
        CHAT="nosuchservice://hush",
    )
    for part in (
        "allow_host`",
        "a b",
        "grouping.quiet_seconds",
        "grouping.flood_groups",
        "grouping.wait",
        "number 1: `name`",
        "number 1: `kind`",
        "one: its address is not https",
        "NOT_SET",
        "colour",
        "`verdicts` names `allow`",
        "NO_SUCH",
        "`severity`",
        "`show_client`",
        "holds a user",
        "has 4 bytes",
        "`one` appears twice",
        "is a public key",
        "chat: apprise's addresses hold secrets",
        "chat2: apprise cannot read",
        "none.key",
        "duty: `closings`",
    ):
        assert part in said, part
    assert "hush" not in said and "aHVzaA" not in said


@pytest.mark.parametrize(
    "key",
    [
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_???",
        "whsk_aHVzaA==",
        "whsec_" + "A" * 200,
    ],
)
def test_keys_that_nothing_can_be_signed_with(tmp_path: Path, key: str) -> None:
    """Refused when the file is read, not when something has happened."""
    text = '[[channel]]\nname="a"\nkind="webhook"\nurl="https://a.example/"\nsecret_env="K"'
    assert "key 1 of its secret" in complaints(tmp_path, text, K=key)


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "https://", "https://a.example:99999/", "https://a.example/ x", "https://[::1", "//a.example"],
)
def test_addresses_that_are_none(tmp_path: Path, url: str) -> None:
    """The same."""
    text = f'[[channel]]\nname="a"\nkind="webhook"\nurl="{url}"\nsecret_env="K"'
    assert "its address" in complaints(tmp_path, text, K=SHARED)


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Whatever prints the configuration."""
    text = '[[channel]]\nname="a"\nkind="webhook"\nurl_env="U"\nsecret_env="K"'
    found = read(tmp_path, text, K=SHARED, U="https://a.example/?token=hush")
    assert "hush" not in repr(found) and SHARED[8:] not in repr(found)


@pytest.mark.parametrize(
    "text, said",
    [
        (b"a=" + b"[" * 3_000, "it is nested too deeply"),
        (b"a=" + b"1" * 5_000, "it is not TOML"),
        (b"a=\xff", "it is not TOML"),
        (b"a." * 300 + b"a=1", "it has a line with more than 200 dots"),
        (b"#" * 65_537, "it has 65537 bytes; 65536 are the most"),
    ],
    ids=lambda held: str(held[:12]),
)
def test_whatever_the_file_holds_it_is_a_complaint(tmp_path: Path, text: bytes, said: str) -> None:
    """As of a policy: no error that names lines of ours."""
    path = tmp_path / "alerts.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigRefused) as refused:
        load(path, {})
    (complaint,) = refused.value.complaints
    assert complaint.startswith(said)


def test_the_file_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    """A name in a comment is read on a machine that would take it for something else."""
    (tmp_path / "alerts.toml").write_text(f"# Für Zoë.\n{CHANNEL}", "utf-8")
    (tmp_path / "key").write_text(SHARED)
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = run("alerts", "--config", tmp_path / "alerts.toml", "channels", settings=locale)
    assert done.returncode == 0, done


def test_the_program_refuses_with_code_2(tmp_path: Path) -> None:
    """All complaints, on standard error."""
    (tmp_path / "alerts.toml").write_text("a = 1")
    done = run("alerts", "--config", tmp_path / "alerts.toml", "channels")
    assert done.returncode == 2 and b"there is no channel" in done.stderr and b"`a`" in done.stderr
