"""Errors that a visitor or an API client may see: one sentence and an HTTP status each."""

from __future__ import annotations


class UserError(Exception):
    """A request that cannot be served, told in one sentence.

    The shape follows the error object of OpenAI's API: `status` is the HTTP status, `code` a stable
    word for programs, `param` the field at fault, when there is one.
    """

    def __init__(self, message: str, *, status: int = 400, code: str = "invalid_input", param: str | None = None):
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param

    @property
    def kind(self) -> str:
        """The error type in OpenAI's vocabulary."""
        return "invalid_request_error" if self.status < 500 else "server_error"

    def body(self) -> dict[str, dict[str, str | None]]:
        """The JSON body of the answer."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


class BusyError(UserError):
    """Every place in the queue is taken."""

    def __init__(self, places: int):
        super().__init__(
            f"The studio is busy: all {places} places in the queue are taken. Please try again in a few seconds.",
            status=503,
            code="busy",
        )


class NotReadyError(UserError):
    """The engine did not finish loading in time, or could not be loaded."""

    def __init__(self, reason: str):
        super().__init__(f"The speech engine is not ready: {reason}", status=503, code="not_ready")


def unexpected() -> UserError:
    """The sentence for a fault of ours; details go to the server's log only."""
    return UserError(
        "Something went wrong on the server while making this sound. Please try again.",
        status=500,
        code="internal_error",
    )


def disk_full() -> UserError:
    """The sentence for a full disk."""
    return UserError(
        "The disk of the server is full, so the sound could not be kept; free some space or lower CALM_CLIP_CACHE_MB.",
        status=507,
        code="disk_full",
    )
