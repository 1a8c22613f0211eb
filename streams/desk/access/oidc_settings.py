"""Settings of sign-in with an OpenID provider, complained about all at once.

There is one provider: somebody with an account at each of two would be two people, and could sign twice.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from streams.settings import OIDC_BEGIN, NoSecret, secret_in, unknown
from streams.web.access import is_loopback

_PREFIX: Final = OIDC_BEGIN
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]{1,512}")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")


class OidcSettings(Struct, frozen=True):
    """One provider, and what the desk is to it."""

    issuer: str
    client: str
    secret: str
    desk: str
    """Where browsers find the desk, without a slash at the end."""
    role_claim: str = "roles"
    """The claim of the ID token that lists roles; dots lead into objects."""
    role_prefix: str = ""
    """What the provider's names have before the desk's own, such as `gate61-` before `approver`."""
    scope: str = "openid profile"
    name: str = ""
    """What people call the provider."""

    def __repr__(self) -> str:
        return f"OidcSettings({self.issuer}, client={self.client})"

    @property
    def back(self) -> str:
        """Where the provider sends browsers back to; it must be registered there."""
        return f"{self.desk}/oidc/back"


def oidc_settings(environment: Mapping[str, str], desk: str | None, found: list[str]) -> OidcSettings | None:
    """Read `GATE61_DESK_OIDC_*`; None if nothing is set. What is wrong is added to `found`.

    `desk` is where browsers find the desk (`GATE61_DESK_URL`); None where that is in `found` already.
    """
    own = {name: value for name, value in environment.items() if name.startswith(_PREFIX)}
    given = {name.removeprefix(_PREFIX): value for name, value in own.items()}
    before = len(found)
    found += unknown(own)
    if not given:
        return None
    issuer = given.get("ISSUER", "")
    if not may_be_asked(issuer) or "?" in issuer:
        found.append(
            f"{_PREFIX}ISSUER is `{issuer}`; it is the provider's own name, such as https://login.example (http only "
            "for a provider on this machine)"
        )
    if not _PRINTABLE.fullmatch(given.get("CLIENT", "")):
        found.append(
            f"{_PREFIX}CLIENT is missing, or not printable; it is the name that the provider knows the desk by"
        )
    if desk is not None and not may_be_asked(desk):
        found.append(
            f"GATE61_DESK_URL is `{desk}`; {_PREFIX}ISSUER is set, and the provider must know where to send browsers "
            "back to, such as https://desk.example (http only on this machine)"
        )
    scope = given.get("SCOPE", "openid profile")
    if not _SCOPE.fullmatch(scope) or "openid" not in scope.split():
        found.append(f"{_PREFIX}SCOPE is `{scope}`; it is words with single spaces, and openid is one of them")
    claim = given.get("ROLE_CLAIM", "roles")
    if not _PRINTABLE.fullmatch(claim):
        found.append(
            f"{_PREFIX}ROLE_CLAIM is empty or not printable; it names the claim of the ID token that lists roles"
        )
    secret = _secret(given.get("SECRET_FILE", ""), found)
    if desk is None or len(found) > before:
        return None
    name = given.get("NAME") or urlsplit(issuer).netloc
    return OidcSettings(
        issuer, given["CLIENT"], secret, desk.rstrip("/"), claim, given.get("ROLE_PREFIX", ""), scope, name
    )


def may_be_asked(url: str) -> bool:
    """Whether it is the https address of something (http for this machine), with no user and no fragment in it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= 512
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    return bool(plain and safe and host and "@" not in parts.netloc and "#" not in url and "\\" not in url)


def _secret(path: str, found: list[str]) -> str:
    do = "name the file that holds what the provider gave the desk"
    if not path:
        found.append(f"{_PREFIX}SECRET_FILE is missing; {do}")
        return ""
    try:
        secret = secret_in(Path(path))
    except NoSecret as wrong:
        found.append(f"{_PREFIX}SECRET_FILE names `{path}`, which {wrong}; {do}")
        return ""
    if not _PRINTABLE.fullmatch(secret):
        found.append(
            f"{_PREFIX}SECRET_FILE names `{path}`, which holds no secret of 1 to 512 printable characters; {do}"
        )
    return secret
