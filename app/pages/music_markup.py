"""Static markup of the tabs of music; scripts fill it in through `textContent`."""

from __future__ import annotations

from html import escape

from app.pages.markup import COMPARE, HISTORY, PLAYER

NO_MODEL = """
<p class="codec-empty">No model that makes music is bundled with this Space yet.</p>
"""

CONTINUE_KEYS = """
<div class="under-text">
  <span>The prompt stays at the head of the music, and the music goes on. Use only pieces that you may use.</span>
  <span class="hint"><kbd>Ctrl</kbd> <kbd>Enter</kbd> continue · <kbd>Esc</kbd> stop</span>
</div>
"""

DESCRIBE_KEYS = """
<div class="under-text">
  <span>Genre, mood, tempo and instruments, in English.</span>
  <span class="hint"><kbd>Ctrl</kbd> <kbd>Enter</kbd> make music · <kbd>Esc</kbd> stop</span>
</div>
"""

CAPTIONS = (
    "A slow, calm waltz for piano and violin.",
    "Fast, energetic rock with distorted guitars and drums.",
    "Relaxed bossa nova with nylon guitar and flute, without drums.",
    "A cheerful folk tune led by a violin, in a major key.",
    "Dreamy ambient music with harp and strings.",
    "Upbeat funk with electric piano, brass section and bass.",
)

CAPTION_CHIPS = f"""
<section class="examples captions" aria-label="Examples of descriptions">
  <h2>Or begin with one of these</h2>
  <div class="chips">{
    "".join(
        f'<button type="button" class="chip caption"><span>{escape(caption)}</span></button>' for caption in CAPTIONS
    )
}</div>
</section>
"""


def _player(number: int) -> str:
    """A player with the name of its variant, the end of the prompt and the buttons that hand its sound on."""
    hidden = " hidden" if number > 1 else ""
    return (
        PLAYER.replace('class="player" aria-label="Player"', f'class="player" aria-label="Variant {number}"{hidden}')
        .replace('<div class="screen">', '<h2 class="whose"></h2>\n  <div class="screen">')
        .replace(
            '<div class="needle" aria-hidden="true"></div>',
            '<div class="prompt-end" aria-hidden="true" hidden><span>prompt</span></div>\n'
            '      <div class="needle" aria-hidden="true"></div>',
        )
        .replace(
            '<div class="downloads" role="group" aria-label="Download" hidden></div>',
            '<div class="downloads" role="group" aria-label="Download" hidden></div>\n'
            '    <div class="sends" role="group" aria-label="Hand on"></div>',
        )
        .replace("Your sound is drawn here while it is spoken.", "The music is drawn here while it is made.")
    )


def stage(variants: int, name: str) -> str:
    """Notices, players for as many variants, and the history of the tab."""
    players = "\n".join(_player(number) for number in range(1, variants + 1))
    history = HISTORY.replace("History of this visit", f"{name} of this visit")
    notices = '<div class="notices" role="status" hidden><ul></ul></div>'
    return f'{notices}\n<div class="variants">\n{players}\n</div>\n{history}'


# The prompt, alone or beside what the codec makes of it; what stands there before is one line.
PROMPT = COMPARE.replace('aria-label="Original and codec"', 'aria-label="The prompt"').replace(
    '<p class="codec-empty">Upload a sound and hear what 12.5 frames a second keep of it.</p>\n', ""
)
