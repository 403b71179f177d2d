"""Every configuration that pocket-tts 4.0.1 ships: same weights, text, voice and noise give the same speech.

All configurations are read and compared; those that speak cover each architecture and all settings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from pocket_tts.models.flow_lm import drifting_decode, lsd_decode, ot_decode, pointwise_decode
from pocket_tts.models.model_state import export_model_state
from pocket_tts.models.text_chunking import split_into_best_sentences
from pocket_tts.modules.mlp import SimpleMLPAdaLN
from torch import Tensor

import calm_core
from calm_core import generate
from calm_core.audio import Audio
from calm_core.catalogue import find, pocket_config, pocket_names
from calm_core.config import PocketConfig
from calm_core.generate import Row
from calm_core.heads import HEADS
from calm_core.tasks.tts import TextToSpeech
from calm_core.voices import Voice
from tests.calm_core.parity import peer

TEXT = "Hello there, it is 3.14 now"
TEXTS = [
    TEXT,
    "one",
    "First there was nothing. Then, all at once; a sound! Was it “real”? (Nobody knew: it was late) … So they waited",
    "It costs 3.50 and not 4.25 today. " * 6,
    "word " * 9 + ", " + "and again " * 9 + ": then it ends here, after all of that",
    "he said 'no', and she — of course – said ‘yes’;\nthat’s how it went  on",
]
LIMIT = 1e-4


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> peer.Official:
    return peer.Official(tmp_path_factory.mktemp("official"))


def speak(tts: TextToSpeech, voice: Voice, text: str, noises: Tensor, monkeypatch: pytest.MonkeyPatch) -> peer.Spoken:
    """Speak one piece with ours, with the same noise for the same frame."""
    rows = iter(noises[1:])
    monkeypatch.setattr(generate, "draw_noise", lambda *_: next(rows).view(1, -1))
    logits: list[Tensor] = []
    hook = tts.model.backbone.out_eos.register_forward_hook(lambda _, __, output: logits.append(output.view(-1)))
    with torch.inference_mode():
        (piece,) = tts.model.text.split(text)
        row = Row(tts.model, voice, tts.model.text.condition(piece), tts.defaults, torch.Generator())
        latents = list(generate.latents(tts.model, row))
        hook.remove()
        wave = torch.cat(list(generate.audio(tts.model, latents)))
    return peer.Spoken(tts.model.decoded(torch.cat(latents)), torch.cat(logits), wave)


def compare(ours: peer.Spoken, theirs: peer.Spoken, threshold: float) -> None:
    assert ours.latents.shape == theirs.latents.shape
    assert ours.wave.shape == theirs.wave.shape
    assert torch.equal(ours.logits > threshold, theirs.logits > threshold)
    assert (ours.logits - theirs.logits).abs().max() <= LIMIT
    assert (ours.latents - theirs.latents).abs().max() <= LIMIT
    assert (ours.wave - theirs.wave).abs().max() <= LIMIT


@pytest.mark.parametrize("name", peer.DISTINCT)
def test_same_speech(name: str, official: peer.Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = official.model(name)
    tts = calm_core.load(str(official.write_config(name)))
    wave = peer.voice_wave()
    state = theirs.get_state_for_audio_prompt(wave[None])
    voice = tts.voice(Audio(wave, 24_000))
    generator = torch.Generator().manual_seed(11)
    noises = torch.randn(200, tts.model.codec.latent_dim, generator=generator) * tts.defaults.temperature**0.5
    spoken = peer.speak(theirs, state, TEXT, noises)
    assert spoken.latents.shape[0] >= 6
    compare(speak(tts, voice, TEXT, noises, monkeypatch), spoken, tts.model.config.sampling.eos_threshold)
    # The voice file of either package works in the other.
    voice.save(tmp_path / "ours.safetensors")
    imported = theirs.get_state_for_audio_prompt(tmp_path / "ours.safetensors")
    assert imported.keys() == state.keys()
    for layer, tensors in state.items():
        assert imported[layer].keys() == tensors.keys()
        for key, tensor in tensors.items():
            torch.testing.assert_close(imported[layer][key], tensor, atol=1e-5, rtol=1e-4)
    # Text preparation and chunks, also where the texts are long.
    tokenizer = theirs.flow_lm.conditioner.tokenizer
    for text in TEXTS:
        expected = split_into_best_sentences(
            tokenizer, text, 50, theirs.pad_with_spaces_for_short_inputs, theirs.remove_semicolons,
            theirs.append_terminal_punctuation, theirs.capitalize_first_letter, theirs.replace_characters,
        )  # fmt: skip
        if all(len(tokenizer.encode(chunk)) <= 50 for chunk in expected):
            assert tts.model.text.split(text) == expected


def test_weights_of_32_bits_keep_them(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    official, name = peer.Official(tmp_path_factory.mktemp("wide"), torch.float32), "english"
    theirs = official.model(name)
    tts = calm_core.load(str(official.write_config(name)))
    state, voice = (
        theirs.get_state_for_audio_prompt(peer.voice_wave()[None]),
        tts.voice(Audio(peer.voice_wave(), 24_000)),
    )
    noises = torch.randn(200, 32, generator=torch.Generator().manual_seed(2)) * tts.defaults.temperature**0.5
    spoken = peer.speak(theirs, state, TEXT, noises)
    compare(speak(tts, voice, TEXT, noises, monkeypatch), spoken, tts.model.config.sampling.eos_threshold)


@pytest.mark.parametrize("name", peer.NAMES)
def test_our_facts_are_their_configurations(name: str) -> None:
    assert PocketConfig.model_validate(pocket_config(name)) == PocketConfig.model_validate(peer.read(name))
    assert find(f"pocket-tts/{name}").config == PocketConfig.model_validate(peer.read(name)).to_model(
        find(f"pocket-tts/{name}").config.card
    )


def test_all_shipped_models_are_listed() -> None:
    assert sorted(pocket_names()) == sorted(peer.NAMES)


def test_a_voice_exported_there_speaks_the_same_here(
    official: peer.Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "english_2m_2026-10"
    theirs = official.model(name)
    tts = calm_core.load(str(official.write_config(name)))
    state = theirs.get_state_for_audio_prompt(peer.voice_wave()[None])
    export_model_state(state, tmp_path / "theirs.safetensors")
    voice = tts.voice(tmp_path / "theirs.safetensors")
    noises = torch.randn(200, 32, generator=torch.Generator().manual_seed(1)) * tts.defaults.temperature**0.5
    spoken = peer.speak(theirs, state, TEXT, noises)
    compare(speak(tts, voice, TEXT, noises, monkeypatch), spoken, tts.model.config.sampling.eos_threshold)


@pytest.mark.parametrize(
    ("kind", "decode", "times"),
    [
        ("lsd", lsd_decode, 2),
        ("flow_matching", ot_decode, 1),
        ("drifting", drifting_decode, 0),
        ("pointwise", pointwise_decode, 0),
    ],
)
@pytest.mark.parametrize("steps", [1, 4, 16])
def test_every_flow_type_decodes_the_same(kind: str, decode: Callable[..., Tensor], times: int, steps: int) -> None:
    torch.manual_seed(4)
    reference = SimpleMLPAdaLN(32, 48, 32, 64, 2, times)
    head = HEADS[kind](32, 64, 48, 2)
    head.net.load_state_dict(reference.state_dict())
    z, noise = torch.randn(3, 64), torch.randn(3, 32)
    expected = decode(partial(reference, z), noise, steps)
    assert (head.sample_from(z, noise, steps) - expected).abs().max() <= 1e-5
