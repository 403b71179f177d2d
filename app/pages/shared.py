"""What the tabs with models and runs share."""

from __future__ import annotations

import secrets
from typing import Any

import gradio as gr

from app.speech import MAX_SEED

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def model_label(info: dict[str, Any]) -> str:
    """A model in a list: its title, what it draws, where it comes from."""
    kind = "codes" if info["discrete"] else "continuous latents"
    return " · ".join(part for part in (info["title"], kind, info["source"]) if part)


def chosen_seed(seed: float | None, keep: bool, count: int = 1) -> float:
    """The seed in its field where it shall stay, else a new one that leaves room for `count` variants."""
    return seed if keep and seed is not None else secrets.randbelow(MAX_SEED + 2 - count)


def number_of(data: dict[str, Any], name: str) -> Any:
    """A number of a kept clip for its control; what is none leaves the control alone."""
    value = data.get(name)
    return value if isinstance(value, (int, float)) else gr.skip()
