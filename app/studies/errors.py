"""The error that participants and programs see."""

from __future__ import annotations

from app.errors import UserError


class StudyError(UserError):
    """A request of a participant that cannot be served: the field at fault, one sentence, an HTTP status."""

    def __init__(self, field: str | None, message: str, status: int = 422, code: str = "invalid_input"):
        super().__init__(message, status=status, code=code, param=field)
        self.field = field
