"""The channel between handlers and the page's scripts: a hidden component whose value is a message.

Messages are plain dictionaries with a `type`; the scripts show them through `textContent`, never as markup.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import gradio as gr

from app.errors import UserError, unexpected

log = logging.getLogger(__name__)
Handler = Callable[..., Awaitable[Any]]
_numbers = itertools.count(1)

# The name of every event that scripts send to handlers stands here in quotes, because gr.HTML looks for it.
_ON_LOAD = """
const events = ['reuse', 'forget', 'hand_over'];
window.calmRelay = {element, trigger, events};
window.calmMessages ??= [];
const pass = () => {
    if (!props.value) return;
    window.calmMessages.push(props.value);
    window.dispatchEvent(new CustomEvent('calm-message'));
};
watch('value', pass);
pass();
"""


def relay() -> gr.HTML:
    """The hidden component; make it an output of a handler that returns `message(...)`."""
    return gr.HTML(value=None, html_template="", js_on_load=_ON_LOAD, elem_id="relay", elem_classes=["off-screen"])


def message(kind: str, **content: Any) -> dict[str, Any]:
    """A message; the number makes two equal ones differ, since only changes are noticed."""
    return {"type": kind, "number": next(_numbers), **content}


def error_message(error: UserError, place: str = "") -> dict[str, Any]:
    """A message that the page shows as an alert; `place` is the tab that it belongs to, the first when empty."""
    return message("error", message=error.message, param=error.param, place=place)


def as_error(error: Exception, place: str = "") -> dict[str, Any]:
    """The message for any exception; what is not for people is logged and told as a fault."""
    if isinstance(error, UserError):
        return error_message(error, place)
    log.error("A handler failed", exc_info=error)
    return error_message(unexpected(), place)


def telling(*, outputs: int, place: str = "") -> Callable[[Handler], Handler]:
    """Wrap a handler whose first of `outputs` outputs is the relay: an error becomes a message, the rest stays."""

    def wrap(handler: Handler) -> Handler:
        @wraps(handler)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            try:
                return await handler(*args, **kwargs)
            except Exception as error:
                told = as_error(error, place)
                return (told, *[gr.skip()] * (outputs - 1)) if outputs > 1 else told

        return wrapped

    return wrap
