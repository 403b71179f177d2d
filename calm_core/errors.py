"""The one exception that callers show to people."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that names the input, the limit and the way out, so that a page,
    an API answer or a command line can show it as it is, without a traceback.
    """
