"""The one error that a user of these commands can cause."""


class InputError(ValueError):
    """What was given cannot be measured; the message is one sentence that says what, why and the way out."""
