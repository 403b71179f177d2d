"""Signed words: participant links, trial tokens and completion codes.

A token is `payload.signature`, both base64url without padding: JSON with its moment of expiry, and HMAC-SHA-256 under
a key of its own for each purpose, so that a token made for one thing opens nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

Purpose = Literal["participant", "trial", "completion", "media-tag", "admin", "visitor", "battle"]
MAX_TOKEN_CHARS = 2000
# no letters or digits that are mistaken for each other when a code is typed from a screen
CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


class TokenError(ValueError):
    """A token cannot be used; `expired` tells whether it was ever good."""

    def __init__(self, *, expired: bool):
        super().__init__("The token has expired." if expired else "The token is not one of ours.")
        self.expired = expired


class Signer:
    """Signs and reads tokens with one secret; `clock` gives the present moment in UTC."""

    def __init__(self, secret: str, clock: Callable[[], datetime]):
        assert secret, "an empty secret signs nothing"
        self._secret = secret.encode()
        self._clock = clock

    def sign(self, purpose: Purpose, content: dict[str, Any], *, seconds: float) -> str:
        """A token with `content` that is good for `seconds` from now."""
        until = int(self._clock().timestamp() + seconds)
        payload = _encode(json.dumps({**content, "until": until}, separators=(",", ":"), sort_keys=True).encode())
        return f"{payload}.{_encode(self._mac(purpose, payload))}"

    def read(self, purpose: Purpose, token: str) -> dict[str, Any]:
        """The content of a token.

        Raises:
            TokenError: it was changed, made for something else, never ours, or has expired.
        """
        payload, point, signature = token.partition(".")
        if not point or len(token) > MAX_TOKEN_CHARS or not token.isascii():
            raise TokenError(expired=False)
        if not hmac.compare_digest(_encode(self._mac(purpose, payload)), signature):
            raise TokenError(expired=False)
        try:
            content = json.loads(_decode(payload))
        except (ValueError, binascii.Error) as error:  # not reached without our secret
            raise TokenError(expired=False) from error
        if content["until"] < self._clock().timestamp():
            raise TokenError(expired=True)
        return content

    def code(self, purpose: Purpose, subject: str, *, letters: int = 10) -> str:
        """A short code that only the holder of the secret can make for `subject`; five bits a letter."""
        number = int.from_bytes(self._mac(purpose, subject), "big")
        drawn = "".join(CODE_LETTERS[(number >> (5 * at)) & 31] for at in range(letters))
        return "-".join(drawn[at : at + 5] for at in range(0, letters, 5))

    def is_code(self, purpose: Purpose, subject: str, code: str, *, letters: int = 10) -> bool:
        """Whether `code` was made for `subject`; case, spaces and hyphens do not matter."""

        def plain(text: str) -> bytes:
            return "".join(text.split()).replace("-", "").upper().encode("utf-8", "replace")

        return hmac.compare_digest(plain(self.code(purpose, subject, letters=letters)), plain(code))

    def _mac(self, purpose: Purpose, text: str) -> bytes:
        key = hmac.digest(self._secret, f"calm {purpose}".encode(), hashlib.sha256)
        return hmac.digest(key, text.encode(), hashlib.sha256)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
