"""The page "Studio": its head, one tab for each task, and the player that they share."""

from __future__ import annotations

import gradio as gr

from app.pages import clap_to_music, codec, continuation, endpoints, markup, music_continuation, speech
from app.pages.relay import relay
from app.services import Services


def build(demo: gr.Blocks, services: Services) -> None:
    """Lay out the page inside `demo` and connect its handlers."""
    gr.HTML(html_template=markup.HEADER, js_on_load=None, elem_id="masthead")
    channel = relay()
    # the token is known to the browser only; its hash is the owner of saved voices
    visitor = gr.BrowserState("", storage_key="calm-visitor", secret="calm-space")
    with gr.Tabs(elem_id="tasks") as tabs:
        with gr.Tab("Text to speech", id="speech"):
            speech.build(demo, services, channel, visitor)
        with gr.Tab("Speech continuation", id="continuation"):
            continuation.build(demo, services, channel, visitor)
        with gr.Tab("Music continuation", id=music_continuation.PLACE):
            music_continuation.build(demo, services, channel, tabs)
        with gr.Tab("CLAP-to-music", id=clap_to_music.PLACE):
            clap_to_music.build(demo, services, channel, tabs)
        with gr.Tab("Codec", id="codec"):
            codec.build(services, channel)
    endpoints.build(services)
    gr.HTML(html_template=markup.FOOTER, js_on_load=None, elem_id="colophon")
