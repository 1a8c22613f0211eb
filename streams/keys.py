"""Bearer keys: who may ask and who may publish over HTTP.

A key is 256 random bits, shown once. Only its SHA-256 is kept: so much chance cannot be guessed from the digest, hence
a slow hash as for passwords would add nothing. The file has mode 0600; it is read again whenever it changes, and while
it cannot be read nobody is let in.
"""

import fcntl
import hmac
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Literal, get_args

import msgspec

Scope = Literal["ask", "publish"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PREFIX = "g61_"


def bearer(key: str | None) -> dict[str, str]:
    """The header by which a request shows a key; none where there is none to show."""
    return {"Authorization": f"Bearer {key}"} if key else {}


class KeysRefused(Exception):
    """A key file or a wish about it that cannot be followed, with what to do."""


class Key(msgspec.Struct, frozen=True):
    """One key as it is kept."""

    name: str
    scopes: tuple[Scope, ...]
    sha256: str
    created: str


class _File(msgspec.Struct, frozen=True):
    keys: tuple[Key, ...] = ()


class Keys:
    """The keys of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[object, tuple[Key, ...]] | None = None

    def add(self, name: str, scopes: tuple[Scope, ...]) -> str:
        """A new key, returned this once; KeysRefused where the name is taken."""
        if not _NAME.fullmatch(name):
            raise KeysRefused("a key's name has 1 to 64 letters, digits, dots, dashes and underscores")
        with self._alone():
            keys = self.all() if self.path.exists() else ()
            if any(k.name == name for k in keys):
                raise KeysRefused(f"there is a key `{name}` already; revoke it first, or take another name")
            secret = _PREFIX + token_urlsafe(32)
            created = datetime.now(UTC).isoformat(timespec="seconds")
            self._write((*keys, Key(name, scopes, _digest(secret), created)))
        return secret

    def revoke(self, name: str) -> None:
        """The key opens nothing from now on."""
        self.all()  # Where there is no key file, nothing is made beside it.
        with self._alone():
            keys = self.all()
            if all(k.name != name for k in keys):
                raise KeysRefused(f"there is no key `{name}` in `{self.path}`")
            self._write(tuple(k for k in keys if k.name != name))

    def all(self) -> tuple[Key, ...]:
        """Every key; KeysRefused where the file cannot be trusted."""
        try:
            stat = self.path.stat()
            mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_mode)
            if self._read is None or self._read[0] != mark:
                if stat.st_mode & 0o077:
                    raise KeysRefused(f"`{self.path}` can be read by others; make it yours alone: chmod 600")
                self._read = mark, msgspec.json.decode(self.path.read_bytes(), type=_File).keys
        except FileNotFoundError:
            raise KeysRefused(f"there is no key file `{self.path}`; make one with `gate61 keys add`") from None
        except OSError as error:
            raise KeysRefused(
                f"key file `{self.path}` cannot be read: {error.strerror}; make it readable, or name another one (--file, "
                "GATE61_KEYS)"
            ) from None
        except msgspec.MsgspecError:
            raise KeysRefused(
                f"`{self.path}` is no key file: give it back from a copy, or move it away, and make one with `gate61 keys "
                "add`; then nobody's earlier key opens anything"
            ) from None
        return self._read[1]

    def who(self, secret: str) -> Key | None:
        """The key that was shown; every key is compared, each in constant time."""
        shown, found = _digest(secret), None
        for key in self.all():
            if hmac.compare_digest(key.sha256, shown):
                found = key
        return found

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two who change the file at once would lose a key."""
        real = self._real()
        try:
            lock = os.open(real.with_name(real.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise KeysRefused(
                f"`{self.path}` cannot be written: {error.strerror}; see that its folder is there and yours"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _real(self) -> Path:
        """The file that a link leads to: to put another one in the link's place would leave that as it is, and served.

        It is looked up each time, as a link may be changed to lead to another file.
        """
        return Path(os.path.realpath(self.path))

    def _write(self, keys: tuple[Key, ...]) -> None:
        """The whole file anew, or not at all."""
        real = self._real()
        text = json.dumps(msgspec.to_builtins(_File(keys)), indent=1) + "\n"
        new = real.with_name(real.name + ".new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(real)
        self._read = None


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
