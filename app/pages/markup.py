"""Static markup of the page. Nothing here is filled in: scripts write text with `textContent`."""

from __future__ import annotations

HEADER = """
<header class="masthead">
  <div class="brand">
    <svg viewBox="0 0 48 48" aria-hidden="true"><path d="M4 24c4-14 8-14 12 0s8 14 12 0 8-14 12 0" /></svg>
    <h1>Calm <span>Space</span></h1>
  </div>
  <p class="tagline">Type a sentence. Choose a voice. Listen.</p>
  <div class="masthead-tools">
    <span class="engine" id="engine" role="status"><i></i><b>Starting</b></span>
    <button type="button" id="theme-switch" class="round" aria-label="Switch between light and dark">
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9z"/></svg>
    </button>
  </div>
</header>
"""

COUNTER = """
<div class="under-text">
  <span id="counter" aria-live="off">0 characters</span>
  <span class="hint"><kbd>Ctrl</kbd> <kbd>Enter</kbd> speak · <kbd>Esc</kbd> stop</span>
</div>
"""

EXAMPLES = """
<section class="examples" aria-label="Examples" hidden>
  <h2>Listen to an example</h2>
  <div id="examples" class="chips"></div>
</section>
"""

PLAYER = """
<section class="player" aria-label="Player" data-state="empty">
  <div class="screen">
    <div class="plots" role="img" aria-label="Waveform and spectrogram of the sound">
      <canvas class="wave" aria-hidden="true"></canvas>
      <canvas class="spectrum" aria-hidden="true"></canvas>
      <div class="needle" aria-hidden="true"></div>
    </div>
    <p class="empty">Your sound is drawn here while it is spoken.</p>
    <div class="seek" role="slider" tabindex="0" aria-label="Position" aria-valuemin="0" aria-valuemax="0"
      aria-valuenow="0" aria-valuetext="0 seconds"></div>
  </div>
  <div class="transport">
    <button type="button" class="play" aria-label="Play" disabled>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path class="i-play" d="M8 5v14l11-7z"/><path class="i-pause" d="M7 5h4v14H7zM13 5h4v14h-4z"/>
      </svg>
    </button>
    <span class="clock"><b class="now">0.0</b> / <span class="all">0.0</span> s</span>
    <dl class="figures">
      <div><dt>First sound</dt><dd class="first">–</dd></div>
      <div><dt>Real-time factor</dt><dd class="rtf">–</dd></div>
      <div><dt>Seed</dt><dd class="seed">–</dd></div>
    </dl>
    <div class="downloads" role="group" aria-label="Download" hidden></div>
  </div>
  <div class="progress" hidden><progress max="1" aria-label="Progress"></progress></div>
  <p class="status" role="status" aria-live="polite"></p>
  <p class="alert" role="alert"></p>
</section>
"""

HISTORY = """
<section class="history" aria-label="History of this visit" hidden>
  <div class="history-head"><h2>This visit</h2><button type="button" class="quiet clear">Clear</button></div>
  <ol></ol>
</section>
"""

NO_CONTINUATION = """
<p class="codec-empty">No model that continues speech is bundled with this Space yet.</p>
"""

CONTINUE_KEYS = """
<div class="under-text">
  <span>The prompt stays at the head of the sound; its voice goes on.</span>
  <span class="hint"><kbd>Ctrl</kbd> <kbd>Enter</kbd> continue · <kbd>Esc</kbd> stop</span>
</div>
"""

# One player and what is thought in it; the second, of the baseline, is shown when it is asked for.
_GOING_ON = (
    PLAYER.replace('<div class="screen">', '<h2 class="whose"></h2>\n  <div class="screen">')
    .replace(
        '<div class="needle" aria-hidden="true"></div>',
        '<div class="prompt-end" aria-hidden="true" hidden><span>prompt</span></div>\n'
        '      <div class="needle" aria-hidden="true"></div>',
    )
    .replace(
        '  <div class="transport">',
        '  <p class="thoughts" role="group" aria-label="Words, as they are spoken" tabindex="0"></p>\n'
        '  <div class="transport">',
    )
    .replace("Your sound is drawn here while it is spoken.", "The prompt and what follows it are drawn here.")
)

CONTINUATION = f"""
<div class="going-on" id="going-on">
{_GOING_ON}
{_GOING_ON.replace('class="player"', 'class="player baseline" hidden').replace('"Player"', '"Player of the baseline"')}
</div>
{HISTORY.replace("History of this visit", "Continuations of this visit")}
"""

COMPARE = """
<section class="compare" aria-label="Original and codec" hidden>
  <dl class="figures">
    <div><dt>SI-SNR</dt><dd class="snr">–</dd></div>
    <div><dt>Length</dt><dd class="length">–</dd></div>
    <div><dt>Latents</dt><dd class="latents">–</dd></div>
    <div><dt>Codec time</dt><dd class="took">–</dd></div>
  </dl>
  <div class="pair"></div>
</section>
<p class="codec-empty">Upload a sound and hear what 12.5 frames a second keep of it.</p>
<p class="codec-status status" role="status" aria-live="polite"></p>
<p class="codec-alert alert" role="alert"></p>
"""

FOOTER = """
<footer class="colophon">
  <p>Every sound made here is synthetic and says so in its metadata.
    Clone only voices that you have the right to use.</p>
  <p><a href="/samples">Samples</a> · <a href="/arena">Arena</a> · <a href="/leaderboard">Leaderboard</a> ·
    <a href="/rate">Listening tests</a> · <a href="/api/docs">REST API</a> · <a href="/healthz">Status</a></p>
</footer>
"""
