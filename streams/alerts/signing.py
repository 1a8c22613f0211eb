"""Signatures of Standard Webhooks 1.0, by both kinds of key.

`whsec_` keys are shared and sign as `v1` (HMAC-SHA256); `whsk_` keys are secret halves of Ed25519 pairs and sign as
`v1a`, which receivers check with the public half, `whpk_`. Several keys, old and new, sign side by side while receivers
change over.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

from gate.facts import Instant
from gate.instants import moment
from gate.policy import SECOND

SHARED_BYTES: Final = (24, 64)
"""Least and most random bytes of a shared key (Standard Webhooks 1.0, signature scheme)."""
KEYS_AT_ONCE: Final = 8


class KeyRefused(Exception):
    """A key that nothing can be signed with; says why, without a part of it."""


class Signer:
    """Signs with every key it holds."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not 1 <= len(keys) <= KEYS_AT_ONCE:
            raise KeyRefused(f"its secret holds {len(keys)} keys; there are from 1 to {KEYS_AT_ONCE}")
        self._shared: list[Webhook] = []
        self._own: list[Ed25519PrivateKey] = []
        for number, key in enumerate(keys, 1):
            self._add(key, f"key {number} of its secret")

    def _add(self, key: str, which: str) -> None:
        if key.startswith("whsec_"):
            raw = _bytes(key[6:], which)
            if not SHARED_BYTES[0] <= len(raw) <= SHARED_BYTES[1]:
                raise KeyRefused(f"{which} has {len(raw)} bytes; a shared key has from 24 to 64 random ones")
            self._shared.append(Webhook(raw))
        elif key.startswith("whsk_"):
            raw = _bytes(key[5:], which)
            if len(raw) not in (32, 64):
                raise KeyRefused(f"{which} has {len(raw)} bytes; an Ed25519 secret has 32, or 64 with its public half")
            own = Ed25519PrivateKey.from_private_bytes(raw[:32])
            if raw[32:] and raw[32:] != own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw):
                raise KeyRefused(f"{which} is followed by a public half that is not its own")
            self._own.append(own)
        elif key.startswith("whpk_"):
            raise KeyRefused(f"{which} is a public key, which receivers check with; signing needs the whsk_ one")
        else:
            raise KeyRefused(f"{which} begins neither with whsec_ nor with whsk_ (Standard Webhooks 1.0)")

    def headers(self, id: str, at: Instant, body: bytes) -> dict[str, str]:
        """The three headers of one attempt; `at` is when it is made."""
        stamp = str(at // SECOND)
        signatures = [key.sign(id, moment(at - at % SECOND), body.decode()) for key in self._shared]
        said = b"%s.%s.%s" % (id.encode(), stamp.encode(), body)
        signatures += [f"v1a,{base64.b64encode(key.sign(said)).decode()}" for key in self._own]
        return {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": " ".join(signatures)}

    def public(self) -> list[str]:
        """The public halves, for receivers."""
        raw = [key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for key in self._own]
        return [f"whpk_{base64.b64encode(each).decode()}" for each in raw]

    def __repr__(self) -> str:
        return f"Signer({len(self._shared)} shared, {len(self._own)} own)"


def _bytes(text: str, which: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise KeyRefused(f"{which} is not base64") from None
