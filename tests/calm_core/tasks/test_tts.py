"""A loaded tiny model, as callers see it."""

import shutil
import threading
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import calm_core
from calm_core import Audio, InputError, TextToSpeech, Utterance, Voice
from calm_core.scheduler import IDLE_SECONDS
from tests.calm_core import tiny

TEXT = "Hello there, how are you? It is late, so we go home now. Good night."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    model = tiny.build(folder)
    tensors = {k: v for k, v in model.state_dict().items() if not k.startswith("head.weight.")}
    # The end never comes by itself: every piece has the longest length that its text allows.
    tensors["backbone.out_eos.bias"] = torch.tensor([-1e4])
    save_file(tensors, folder / "model.safetensors")
    text = {**tiny.tts()["text"], "max_tokens": 40, "tokens_per_second": 20.0, "seconds_padding": 0.2}
    (folder / "config.yaml").write_text(yaml.safe_dump(tiny.tts(text=text)))
    return folder


@pytest.fixture(scope="module")
def tts(folder: Path) -> TextToSpeech:
    return calm_core.load(str(folder))


@pytest.fixture(scope="module")
def voice(tts: TextToSpeech) -> Voice:
    return tts.voice(Audio(tiny.recording(), 24_000))


def test_facts_about_the_model(tts: TextToSpeech) -> None:
    assert (tts.sample_rate, tts.frame_rate, tts.native_speed) == (24_000, 12.5, False)
    assert tts.defaults.temperature == 0.3 and tts.info.source == "local" and tts.weights_bytes > 10_000
    assert tts.notice.endswith(".")


def test_a_seed_gives_the_same_bits_and_is_reported(tts: TextToSpeech, voice: Voice) -> None:
    first = tts.generate(TEXT, voice, seed=7)
    assert torch.equal(first.samples, tts.generate(TEXT, voice, seed=7).samples)
    assert not torch.equal(first.samples, tts.generate(TEXT, voice, seed=8).samples)
    drawn = tts.generate("One.", voice)
    assert torch.equal(drawn.samples, tts.generate("One.", voice, seed=drawn.meta["seed"]).samples)
    expected = {"model", "voice", "text", "seed", "temperature", "steps", "cfg", "noise_clamp", "speed", "seconds",
                "first_audio_seconds", "real_time_factor"}  # fmt: skip
    assert expected <= first.meta.keys()
    assert first.meta["seconds"] == pytest.approx(first.samples.shape[0] / 24_000, abs=1e-3)


def test_a_stream_is_the_whole_and_begins_with_one_frame(tts: TextToSpeech, voice: Voice) -> None:
    chunks = list(tts.stream(TEXT, voice, seed=7))
    assert chunks[0].shape == (1920,) and chunks[0].dtype == torch.float32
    assert torch.equal(torch.cat(chunks), tts.generate(TEXT, voice, seed=7).samples)


def test_a_batch_of_unequal_rows_equals_its_rows(tts: TextToSpeech, voice: Voice) -> None:
    other = tts.voice(Audio(tiny.recording(seed=3), 24_000))
    rows = [
        Utterance(TEXT, voice, seed=1),
        Utterance("One.", other, seed=2, cfg=2.0),
        Utterance("Two of them, please.", voice, seed=3, temperature=0.9, steps=3),
        Utterance("And now a third.", other, seed=4, noise_clamp=0.5),
    ]
    together = tts.generate_batch(rows)
    again = tts.generate_batch(rows)
    for row, audio, repeated in zip(rows, together, again, strict=True):
        alone = tts.generate(
            row.text, row.voice, seed=row.seed, cfg=row.cfg, temperature=row.temperature, steps=row.steps,
            noise_clamp=row.noise_clamp,
        )  # fmt: skip
        assert torch.equal(audio.samples, alone.samples)
        assert torch.equal(audio.samples, repeated.samples)


def test_callers_at_once_do_not_disturb_each_other(tts: TextToSpeech, voice: Voice) -> None:
    alone = [tts.generate(TEXT, voice, seed=s).samples for s in range(14)]
    found: dict[int, torch.Tensor] = {}

    def call(seed: int) -> None:
        found[seed] = tts.generate(TEXT, voice, seed=seed).samples

    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(14)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    for seed, samples in enumerate(alone):
        assert torch.equal(found[seed], samples)


def test_stop_ends_the_stream_and_keeps_what_was_said(tts: TextToSpeech, voice: Voice) -> None:
    whole = tts.generate(TEXT * 3, voice, seed=7).samples
    stop = threading.Event()
    chunks = []
    for chunk in tts.stream(TEXT * 3, voice, seed=7, stop=stop):
        chunks.append(chunk)
        stop.set()
    said = torch.cat(chunks)
    assert 0 < said.shape[0] < whole.shape[0]
    assert torch.equal(said, whole[: said.shape[0]])


def test_leaving_a_stream_leaves_nothing_running(folder: Path, voice: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm_core.scheduler.IDLE_SECONDS", 0.2)
    assert IDLE_SECONDS > 1
    before = set(threading.enumerate())
    tts = calm_core.load(str(folder))
    with tts.stream(TEXT * 20, voice, seed=7) as stream:
        next(stream)
    deadline = time.monotonic() + 20
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not {t.name for t in set(threading.enumerate()) - before if t.name.startswith("calm")}


def test_a_fault_in_one_job_reaches_its_caller_only(
    tts: TextToSpeech, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = tts.model.text.condition

    def condition(piece: str, *rest: object) -> object:
        if "late" in piece:
            raise InputError("This piece cannot be spoken.")
        return original(piece, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(tts.model.text, "condition", condition)
    good = tts.stream("One two three.", voice, seed=1)
    with pytest.raises(InputError, match="cannot be spoken"):
        tts.generate("It is late.", voice, seed=1)
    assert sum(chunk.shape[0] for chunk in good) > 0


def test_voices_from_files(tts: TextToSpeech, voice: Voice, tmp_path: Path) -> None:
    calm_core.write_audio(tmp_path / "me.wav", Audio(tiny.recording(), 24_000))
    cloned = tts.voice(tmp_path / "me.wav")
    assert cloned.name == "me"
    voice.save(tmp_path / "voice.safetensors")
    loaded = tts.voice(str(tmp_path / "voice.safetensors"))
    expected = tts.generate("One.", voice, seed=3).samples
    assert torch.equal(tts.generate("One.", loaded, seed=3).samples, expected)


def test_a_voice_is_not_changed_by_speaking(tts: TextToSpeech, voice: Voice) -> None:
    before = {k: v.clone() for k, v in voice.state.items()}
    tts.generate("One.", voice, seed=3)
    assert all(torch.equal(voice.state[k], before[k]) for k in before)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": ""}, "empty"),
        ({"text": " \n "}, "empty"),
        ({"text": "a" * 100_000}, "limit"),
        ({"voice": "nobody"}, "no voice 'nobody'"),
        ({"speed": 2.0}, "speaking rate"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"steps": 0}, "steps"),
        ({"cfg": 99.0}, "cfg"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**70}, "seed"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tts: TextToSpeech, voice: Voice, arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        tts.generate(**{"text": "One.", "voice": voice, **arguments})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("wave", "words"),
    [
        (torch.zeros(48_000), "silent"),
        (torch.zeros(0), "empty"),
        (tiny.recording(0.1), "at least"),
        (torch.full((48_000,), float("nan")), "not numbers"),
    ],
)
def test_recordings_that_no_voice_can_be_made_of(tts: TextToSpeech, wave: torch.Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words):
        tts.voice(Audio(wave, 24_000))


def test_a_voice_of_another_model_is_refused(tts: TextToSpeech, tmp_path: Path) -> None:
    save_file({"transformer.layers.0.self_attn/cache": torch.zeros(2, 1, 4, 1, 8)}, tmp_path / "v.safetensors")
    with pytest.raises(InputError, match="not made for this model"):
        tts.voice(tmp_path / "v.safetensors")


def test_a_voice_file_of_a_model_of_the_same_shape_is_refused(
    tts: TextToSpeech, folder: Path, voice: Voice, tmp_path: Path
) -> None:
    voice.save(tmp_path / "v.safetensors")
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    tensors = load_file(other / "model.safetensors")
    tensors["latent_mean"] = tensors["latent_mean"] + 0.5
    save_file(tensors, other / "model.safetensors")
    retrained = calm_core.load(str(other))
    with pytest.raises(InputError, match="not made for this model"):
        retrained.voice(tmp_path / "v.safetensors")
    with pytest.raises(InputError, match="'recording' was not made for this model"):
        retrained.generate("One.", voice.renamed("recording"))
    foreign = voice.state, voice.embedding
    Voice("unsigned", *foreign).save(tmp_path / "unsigned.safetensors")  # as pocket-tts writes it
    assert retrained.voice(tmp_path / "unsigned.safetensors").model is None


def test_models_and_tasks_that_do_not_exist() -> None:
    with pytest.raises(InputError, match="no model 'nothing'"):
        calm_core.load("nothing")
    with pytest.raises(InputError, match="no model 'pocket-tts/klingon'"):
        calm_core.load("pocket-tts/klingon")
    with pytest.raises(InputError, match="no task"):
        calm_core.load("nothing", task="sing")  # type: ignore[call-overload]


def test_published_models_offline_say_what_to_do() -> None:
    with pytest.raises(InputError, match="CALM_OFFLINE"):
        calm_core.load("pocket-tts/english_2m_2026-10")


def test_the_codec_of_the_model(folder: Path) -> None:
    codec = calm_core.load(str(folder), task="codec")
    audio = Audio(tiny.recording(0.5), 24_000)
    latents = codec.encode(audio)
    assert latents.shape == (7, 8)
    assert codec.decode(latents).samples.shape == (7 * 1920,)
    assert codec.reconstruct(audio).samples.shape == audio.samples.shape
    stereo = Audio(torch.stack([audio.samples, audio.samples]), 24_000)
    torch.testing.assert_close(codec.encode(stereo), latents)
    with pytest.raises(InputError, match="empty"):
        codec.encode(Audio(torch.zeros(0), 24_000))
    with pytest.raises(InputError, match="shape"):
        codec.decode(torch.zeros(4, 3))
