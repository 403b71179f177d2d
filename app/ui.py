"""The Gradio application: theme, page shell and tabs."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from gradio import themes
from gradio.themes.utils import fonts

from app.pages import generate
from app.services import Services

STATIC = Path(__file__).parent / "static"
HEAD = """
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<script type="module" src="/ui/studio.js"></script>
"""
SEA = themes.Color(
    name="sea",
    c50="#eef7f4", c100="#d6ece6", c200="#aedacd", c300="#7fc3b1", c400="#4fa592", c500="#2f8878",
    c600="#1f6f63", c700="#1a5a51", c800="#184841", c900="#153b36", c950="#0a2220",
)  # fmt: skip


def theme() -> themes.Base:
    """The look of all controls; every font comes from this server, so nothing is fetched from elsewhere."""
    return themes.Base(
        primary_hue=SEA,
        neutral_hue=themes.colors.stone,
        radius_size=themes.sizes.radius_lg,
        font=[fonts.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"],
        font_mono=[fonts.LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"],
    )


def stylesheets() -> list[str]:
    """The style sheets in the order in which they apply."""
    return [
        str(STATIC / name)
        for name in ("base.css", "controls.css", "player.css", "results.css", "continuation.css", "music.css")
    ]


def build(services: Services) -> gr.Blocks:
    """The page "Studio"."""
    with gr.Blocks(title="CALM Space · Studio", analytics_enabled=False, delete_cache=(3600, 86400)) as demo:
        generate.build(demo, services)
    return demo
