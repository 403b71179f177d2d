"""The player's graph, rendered in the browser sample by sample: fades, alignment, loops, full scale."""

import base64
from pathlib import Path

import numpy as np
import pytest

from tests.serving import serving
from tests.studies.conftest import STATIC

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]
RATES = [24_000, 44_100, 48_000, 96_000]
RENDER = """async ({ rate, seconds, sounds, steps }) => {
  const { Deck } = await import('/ui/study/deck.js');
  const context = new OfflineAudioContext(1, Math.round(seconds * rate), rate);
  const buffers = sounds.map((text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const samples = new Float32Array(bytes.buffer);
    const buffer = context.createBuffer(1, samples.length, rate);
    buffer.copyToChannel(samples, 0);
    return buffer;
  });
  const deck = new Deck(context, buffers);
  for (const [method, ...values] of steps) deck[method](...values);
  deck.extend(seconds);
  const out = new Uint8Array((await context.startRendering()).getChannelData(0).buffer);
  let text = '';
  for (let i = 0; i < out.length; i += 32768) text += String.fromCharCode(...out.subarray(i, i + 32768));
  return btoa(text);
}"""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """A page that may import the player; nothing but static files is needed."""
    from fastapi import FastAPI
    from fastapi.staticfiles import StaticFiles

    site = FastAPI()
    site.mount("/ui", StaticFiles(directory=STATIC), name="ui")
    with serving(site) as url:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{url}/ui/icon.svg")
        yield page
        context.close()


def render(page, rate: int, seconds: float, sounds: list[np.ndarray], steps: list[list]) -> np.ndarray:
    """What is heard, float32 [frames], when `steps` (method of the deck, values) are scheduled before the start."""
    coded = [base64.b64encode(sound.astype("<f4").tobytes()).decode() for sound in sounds]
    out = page.evaluate(RENDER, {"rate": rate, "seconds": seconds, "sounds": coded, "steps": steps})
    return np.frombuffer(base64.b64decode(out), "<f4")


def fade(rate: int) -> np.ndarray:
    """Rising raised cosine of 5 ms, without its last point."""
    length = int(0.005 * rate + 0.5)  # 5 ms to the nearest sample; half a sample rounds up
    return 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)


def silence(rate: int, seconds: float) -> np.ndarray:
    return np.zeros(round(rate * seconds))


@pytest.mark.parametrize("rate", RATES)
def test_a_switch_is_five_milliseconds_down_and_five_up_never_both(page, rate: int) -> None:
    up, down = fade(rate), 1 - fade(rate)
    constant = np.ones(rate)
    out = render(
        page, rate, 0.5, [0.5 * constant, -0.25 * constant], [["play", 0.1], ["switchTo", 1, 0.2], ["pause", 0.4]]
    )
    first = np.concatenate([silence(rate, 0.1), up, np.ones(round(0.1 * rate) - len(up)), down])
    second = np.concatenate([np.zeros(len(first)), up])
    second = np.concatenate([second, np.ones(round(0.4 * rate) - len(second)), down])
    wanted = np.zeros(len(out))
    wanted[: len(first)] += 0.5 * first
    wanted[: len(second)] -= 0.25 * second
    assert np.abs(out - wanted).max() < 2e-5


@pytest.mark.parametrize("rate", RATES)
def test_streams_stay_aligned_to_the_sample_through_switches_and_loops(page, rate: int) -> None:
    """Sound A says its place, B says it with the other sign: whatever is heard tells where it came from."""
    frames = rate  # one second
    place = (1 + np.arange(frames)) / (frames + 1)
    loop = {"start": 0.2, "end": 0.8}
    steps = [["setLoop", loop], ["play", 0.1], ["switchTo", 1, 0.5], ["switchTo", 0, 1.2], ["switchTo", 1, 1.6]]
    out = render(page, rate, 2.0, [place, -place], steps)
    start, first, last = round(0.1 * rate), round(0.2 * rate), round(0.8 * rate)
    for second, sign in [(0.3, 1), (0.6, -1), (0.75, -1), (1.0, -1), (1.4, 1), (1.8, -1)]:
        at = round(second * rate)
        heard = place[first + (at - start) % (last - first)]
        # half a sample off would be an error of 0.5 / frames
        assert out[at] == pytest.approx(sign * heard, abs=0.05 / frames), f"at {second} s"


def test_loop_borders_fade_and_keep_their_length(page) -> None:
    rate = 48_000
    steps = [["setLoop", {"start": 0.0, "end": 0.1}], ["play", 0.0]]  # asked for less than half a second
    out = render(page, rate, 1.2, [0.5 * np.ones(rate)], steps)
    for border in (0.5, 1.0):
        at = round(border * rate)
        around = out[at - 240 : at + 240]
        wanted = 0.5 * np.concatenate([1 - fade(rate), fade(rate)])
        assert np.abs(around - wanted).max() < 2e-5
    assert np.abs(out[300 : round(0.5 * rate) - 240] - 0.5).max() < 1e-6


def test_nothing_exceeds_full_scale_however_fast_one_switches(page) -> None:
    rate = 44_100
    rng = np.random.default_rng(1)
    sounds = [np.where(rng.random(2 * rate) < 0.5, -1.0, 1.0) for _ in range(5)]
    steps: list[list] = [["play", 0.0]]
    moments = np.sort(rng.random(200))
    steps += [["switchTo", int(slot), float(at)] for slot, at in zip(rng.integers(0, 5, 200), moments, strict=True)]
    steps += [["seek", 0.3, 1.5], ["pause", 1.6], ["play", 1.61], ["setLoop", {"start": 0.1, "end": 0.7}, 1.8]]
    out = render(page, rate, 2.5, sounds, steps)
    assert np.abs(out).max() <= 1.0
    assert np.abs(out).max() > 0.99


def test_a_click_never_comes_of_a_switch_a_pause_or_a_seek(page) -> None:
    """A slow sine changes little from sample to sample; a cut would show as a jump."""
    rate = 48_000
    time = np.arange(2 * rate) / rate
    sounds = [np.sin(2 * np.pi * 50 * time), np.cos(2 * np.pi * 50 * time)]
    steps = [
        ["play", 0.05],
        ["switchTo", 1, 0.2],
        ["switchTo", 0, 0.203],
        ["seek", 1.0, 0.4],
        ["pause", 0.7],
        ["play", 0.9],
    ]
    steps += [["setLoop", {"start": 0.3, "end": 0.9}, 1.0]]
    out = render(page, rate, 3.0, sounds, steps)
    # the steepest part of a fade moves by pi / 2 / 240 a sample, the sine by 2 pi 50 / 48000
    assert np.abs(np.diff(out)).max() < np.pi / 2 / 240 + 2 * np.pi * 50 / rate + 1e-4


def test_shorter_sounds_end_in_silence_and_come_back_in_step(page) -> None:
    rate = 24_000
    long, short = 0.5 * np.ones(rate), -0.5 * np.ones(rate // 2)
    out = render(page, rate, 2.0, [long, short], [["play", 0.0], ["switchTo", 1, 0.1]])
    assert np.abs(out[round(0.51 * rate) : rate]).max() == 0
    assert out[round(1.2 * rate)] == pytest.approx(-0.5, abs=1e-6)


def test_the_page_has_a_copy_of_no_fade_but_this() -> None:
    """The fades live in one file, which is the one that is measured here."""
    users = [
        path.name for path in Path(STATIC / "study").glob("*.js") if "setValueCurveAtTime" in path.read_text("utf-8")
    ]
    assert users == ["deck.js"]
