"""Who may administer: whoever knows the password, and on a Space the owner, signed in with Hugging Face."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from app.errors import UserError
from app.studies.tokens import Signer, TokenError

HOURS = 8.0
TRIES, WITHIN_SECONDS = 10, 60.0
PURPOSE = "admin"


class AdminAccess:
    """Gives tokens to those who prove who they are, and reads them; closed when there is no way to prove it.

    Args:
        password: opens the administration; empty for none.
        secret: signs the tokens. A new password makes older tokens worthless.
        owners: names on the Hub that may administer, when the Space signs people in.
        clock: seconds, for counting failed tries.
    """

    def __init__(
        self,
        password: str,
        secret: str,
        owners: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ):
        self._password = password
        self._owners = owners
        self._signer = Signer(f"{secret} {hashlib.sha256(password.encode()).hexdigest()}", lambda: datetime.now(UTC))
        self._failed: deque[float] = deque()
        self._lock = threading.Lock()
        self._clock = clock

    @property
    def ways(self) -> dict[str, bool]:
        """Which ways in there are."""
        return {"password": bool(self._password), "hugging_face": bool(self._owners)}

    def enter(self, password: Any, signed_in_as: str | None) -> str:
        """A token for some hours.

        Raises:
            UserError: 403 closed or not allowed, 401 wrong password, 429 too many tries.
        """
        if not any(self.ways.values()):
            raise closed()
        if signed_in_as is not None and signed_in_as in self._owners:
            return self._token(signed_in_as)
        if not self._password or not isinstance(password, str) or not password:
            raise UserError("This account may not administer the Space.", status=403, code="not_allowed")
        with self._lock:
            now = self._clock()
            while self._failed and self._failed[0] < now - WITHIN_SECONDS:
                self._failed.popleft()
            if len(self._failed) >= TRIES:
                raise UserError(
                    "Too many wrong passwords; please wait a minute.",
                    status=429,
                    code="too_many_tries",
                    param="password",
                )
            if not hmac.compare_digest(password.encode(), self._password.encode()):
                self._failed.append(now)
                raise UserError("This is not the password.", status=401, code="wrong_password", param="password")
        return self._token("administrator")

    def _token(self, name: str) -> str:
        return self._signer.sign(PURPOSE, {"n": name}, seconds=3600 * HOURS)

    def who(self, request: Request) -> str:
        """The administrator who sends a request.

        Raises:
            UserError: 403 when the administration is closed, 401 without a good token.
        """
        if not any(self.ways.values()):
            raise closed()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            content = self._signer.read(PURPOSE, token.strip())
        except TokenError:
            raise UserError("Please sign in again.", status=401, code="sign_in") from None
        if scheme.lower() != "bearer":
            raise UserError("Please sign in again.", status=401, code="sign_in")
        return content["n"]


def closed() -> UserError:
    """The sentence for an administration that nobody can enter."""
    return UserError(
        "The administration is closed; set CALM_ADMIN_PASSWORD and start again.", status=403, code="closed"
    )
