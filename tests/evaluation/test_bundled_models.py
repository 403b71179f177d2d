"""The bundled models, each heard: they say what was asked for or what they thought of, and play what goes with it."""

from functools import cache
from pathlib import Path

import pytest
import torch

import calm_core
from evaluation.clips import make_clip
from evaluation.metrics.recognition import transcribe, word_errors

ROOT = Path(__file__).parents[2]
CHECKPOINTS = ROOT / "assets" / "checkpoints"
SPEAKING = ("calm-tts-en", "calm-tts-en-teacher", "calm-tts-en-consistency")
TELLING = ("calm-continuation-en", "rq-continuation-en")
PLAYING = {"calm-music": 4, "calm-music-trigflow": 10, "rq-music": None, "musicgen-music": None}
DESCRIBED = (
    "Fast, energetic rock with distorted guitars and drums.",
    "Dreamy ambient music with harp and strings, without drums.",
    "Upbeat funk with electric piano, brass section and slap bass, with drums.",
    "A slow, calm classical piece for piano and violin, without drums.",
)

pytestmark = [pytest.mark.bundled, pytest.mark.long]


def read() -> calm_core.Audio:
    """Five seconds of a voice that the recogniser knows well."""
    return calm_core.read_audio(ROOT / "assets" / "voices" / "rms.flac")


@pytest.mark.parametrize("model", SPEAKING)
def test_it_says_what_is_asked_for(model: str) -> None:
    text = "The boats came home before the rain, and nobody in the harbour was surprised."
    said = calm_core.load(model, task="tts").generate(text, voice=read(), seed=1)
    assert 3.0 < said.seconds < 8.0
    wrong, words = word_errors(text, transcribe(make_clip(model, said.samples.numpy(), said.sample_rate)))
    assert wrong / words < 0.35


@pytest.mark.parametrize("model", TELLING)
def test_it_tells_on_what_it_thinks_of(model: str) -> None:
    """After the prompt, as loud as it, and understood well enough to be the words of the inner monologue."""
    prompt = read()
    told = calm_core.load(model, task="speech_continuation").generate(prompt, seconds=10.0, seed=1, temperature=0.8)
    start = told.samples.numel() - 10 * told.sample_rate
    new = told.samples[start:]
    assert abs(start / told.sample_rate - prompt.seconds) < 0.2 and new.isfinite().all()
    heard_before = told.samples[:start].square().mean()
    assert -6.0 < 10 * torch.log10(new.square().mean() / heard_before) < 6.0
    wrong, words = word_errors(told.meta["text"], transcribe(make_clip(model, new.numpy(), told.sample_rate)))
    assert 15 <= words <= 45 and wrong / words < 0.6


@cache
def played_on(model: str) -> list[tuple[str, calm_core.Audio, calm_core.Audio]]:
    """Names of the example pieces, the pieces, and ten seconds that follow them."""
    player = calm_core.load(model, task="music_continuation")
    heard = []
    for path in sorted((ROOT / "assets" / "music").glob("*.ogg")):
        piece = calm_core.read_audio(path)
        played = player.generate(piece, seconds=10.0, seed=1, steps=PLAYING[model])
        new = calm_core.Audio(played.samples[-10 * played.sample_rate :], played.sample_rate)
        heard.append((path.stem, piece, new))
    assert len(heard) >= 8
    return heard


@pytest.mark.parametrize("model", ["calm-music", "calm-music-trigflow"])
def test_it_plays_on_about_as_loud_as_the_piece(model: str) -> None:
    """But for one piece, which the TrigFlow head lets sink by 16.6 dB: a sparse piece may fall silent (its card)."""
    louder = {}
    for name, piece, new in played_on(model):
        assert new.samples.isfinite().all()
        louder[name] = float(10 * torch.log10(new.samples.square().mean() / piece.samples.square().mean()))
    assert -6.0 < sorted(louder.values())[len(louder) // 2] < 6.0, louder
    if model == "calm-music-trigflow":
        assert louder.pop("jazz") < 9.0
    assert all(-12.0 < each < 9.0 for each in louder.values()), louder


@pytest.mark.parametrize("model", PLAYING)
def test_it_plays_on_in_the_manner_of_the_piece(model: str) -> None:
    """Of all pieces the nearest in the space of CLAP is the one that it went on from, more often than not."""
    clap = calm_core.load("calm-clap-music", task="clap")
    heard = played_on(model)
    pieces = torch.cat([clap.embed_audio(piece) for _, piece, _ in heard])
    made = torch.cat([clap.embed_audio(new) for _, _, new in heard])
    alike = made @ pieces.T
    assert (alike.argmax(1) == torch.arange(len(pieces))).sum() > len(pieces) / 2


@pytest.mark.parametrize("model", PLAYING)
def test_it_plays_what_is_described(model: str) -> None:
    clap = calm_core.load("calm-clap-music", task="clap")
    player = calm_core.load(model, task="clap_to_music")
    played = [player.generate(text, seconds=6.0, seed=1, steps=PLAYING[model]) for text in DESCRIBED]
    alike = torch.cat([clap.embed_audio(sound) for sound in played]) @ clap.embed_text(list(DESCRIBED)).T
    others = (alike.sum(1) - alike.diagonal()) / (len(DESCRIBED) - 1)
    assert (alike.diagonal() > others).all()


def test_the_weights_keep_their_budget() -> None:
    sizes = [path.stat().st_size for path in CHECKPOINTS.rglob("*.safetensors")]
    assert len(sizes) >= 7 and max(sizes) < 10_000_000 and sum(sizes) < 60_000_000
