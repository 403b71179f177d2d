"""Music as callers see it: prompts, descriptions, variants, guidance, limits, the wrong kinds of model."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
import yaml
from safetensors.torch import save_file

import calm_core
from calm_core import catalogue
from calm_core.audio import Audio, resample
from calm_core.cli import main
from calm_core.errors import InputError
from calm_core.tasks import clap_to_music, music_continuation
from calm_core.tasks.clap_to_music import ClapToMusic
from calm_core.tasks.music import step_notices
from calm_core.tasks.music_continuation import MusicContinuation
from calm_core.tasks.prompt import is_speech
from tests.calm_core import tiny
from tests.calm_core.clap import sounds

ROOT = Path(__file__).parents[3]
RATE, FRAME = 32_000, 1280
HEADS = ("consistency", "rq_transformer", "delay")


def save(folder: Path, head: str, clap: str | None = "clap") -> Path:
    folder.mkdir()
    model = tiny.build_music(head, clap=clap)
    tensors = {n: t.contiguous() for n, t in model.state_dict().items() if not n.startswith("head.weight.")}
    save_file(tensors, folder / "model.safetensors")
    sampling = {"top_k": 10} if model.discrete else {"cfg": 2.0, "text_cfg": 3.0}
    config = {**tiny.music(head, clap=clap), "sampling": sampling}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("music")
    return {head: str(save(root / head, head)) for head in HEADS} | {"plain": str(save(root / "plain", "lsd", None))}


@pytest.fixture(autouse=True, scope="module")
def clap() -> Any:
    """The stand-in for whatever `clap.model` names."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (clap_to_music, music_continuation):
            patch.setattr(module, "load_clap", lambda found, device, progress: tiny.Clap())
        yield


@pytest.fixture(scope="module")
def players(folders: dict[str, str]) -> dict[str, MusicContinuation]:
    return {name: calm_core.load(folder, task="music_continuation") for name, folder in folders.items()}


@pytest.fixture(scope="module")
def composer(folders: dict[str, str]) -> ClapToMusic:
    return calm_core.load(folders["consistency"], task="clap_to_music")


def prompt(seconds: float = 2.0, rate: int = RATE) -> Audio:
    time = torch.arange(int(rate * seconds)) / rate
    return Audio(0.2 * torch.sin(2 * torch.pi * 220 * time) + 0.1 * torch.sin(2 * torch.pi * 331 * time), rate)


def test_speech_is_told_from_music_and_whoever_gives_it_is_told(
    players: dict[str, MusicContinuation], composer: ClapToMusic
) -> None:
    """The bundled examples of both; any rate."""
    told = {}
    for path in sorted((ROOT / "assets").glob("examples/*.flac")) + sorted((ROOT / "assets").glob("music/*.ogg")):
        samples, rate = soundfile.read(path, dtype="float32")
        heard = torch.from_numpy(samples)[: 3 * rate]
        told[path.stem] = is_speech(resample(heard, rate, RATE), RATE)
        assert is_speech(heard, rate) == told[path.stem]
        if path.stem in ("01-a-letter", "jazz"):
            notices = [players["consistency"].generate(Audio(heard, rate), 0.2, seed=1).meta["notices"]]
            notices += [composer.generate(None, 0.2, seed=1, audio_prompt=Audio(heard, rate)).meta["notices"]]
            assert [["sounds like speech" in one for one in each] for each in notices] == [[True] * told[path.stem]] * 2
    assert len(told) > 8
    assert {name for name, speech in told.items() if speech} == {n for n in told if n[0].isdigit()}
    assert not is_speech(torch.zeros(100), RATE) and not is_speech(torch.zeros(RATE), RATE)


@pytest.mark.parametrize("head", HEADS)
def test_the_prompt_stays_at_the_head_and_the_rest_follows(players: dict[str, MusicContinuation], head: str) -> None:
    made = players[head].generate(prompt(), 0.8, seed=3)
    whole, fade = 50 * FRAME, RATE // 200
    assert torch.equal(made.samples[: whole - fade], prompt().samples[: whole - fade])
    assert made.sample_rate == RATE and len(made.samples) == whole + 25_600
    assert made.samples[whole:].abs().max() > 0
    assert made.meta["prompt_seconds"] == 2.0 and made.meta["notices"] == [] and made.meta["cfg"] == 1.0
    with players[head].stream(prompt(), 0.8, seed=3) as stream:
        chunks = list(stream)
    assert len(chunks) > 4 and torch.equal(torch.cat(chunks), made.samples)
    assert "first_audio_seconds" in stream.meta and 0 < stream.meta["sampler_share"] < 1


@pytest.mark.parametrize("head", HEADS)
def test_variants_are_those_that_their_seeds_make_alone(players: dict[str, MusicContinuation], head: str) -> None:
    made = players[head].generate_variants(prompt(), 0.4, count=3, seed=7)
    assert [each.meta["seed"] for each in made] == [7, 8, 9]
    for each in made[::2]:
        assert torch.equal(each.samples, players[head].generate(prompt(), 0.4, seed=each.meta["seed"]).samples)
    with players[head].stream_variants(prompt(), 0.4, count=2, seed=7) as stream:
        assert torch.equal(torch.cat(list(stream), 1)[1], made[1].samples)


def test_any_sound_can_be_the_prompt(players: dict[str, MusicContinuation]) -> None:
    player = players["consistency"]
    speech = Audio(torch.stack([tiny.recording(1.5)] * 2), 24_000)  # stereo, of another rate
    assert player.generate(speech, 0.2, seed=1).seconds == pytest.approx(1.48 + 0.2, abs=1e-3)
    assert player.generate(None, 0.2, seed=1).seconds == pytest.approx(0.2)
    quiet, loud = (
        player.generate(Audio(prompt().samples * gain, RATE), 0.4, seed=1).samples[50 * FRAME :] for gain in (0.1, 1.0)
    )
    torch.testing.assert_close(quiet * 10, loud, atol=1e-3, rtol=1e-2)
    long = player.prompt(prompt(20.0))
    assert long.frames.shape[1] == 250 and len(long.samples) == 20 * RATE


def test_a_clipped_prompt_and_many_steps_are_said(players: dict[str, MusicContinuation]) -> None:
    clipped = Audio((prompt().samples * 20).clamp(-1, 1), RATE)
    notices = players["consistency"].generate(clipped, 0.2, seed=1, steps=11).meta["notices"]
    assert len(notices) == 2 and "clipped" in notices[0] and "11 are slower" in notices[1]
    assert players["consistency"].generate(prompt(), 0.2, seed=1, steps=10).meta["notices"] == []
    assert step_notices("trigflow", 24) and not step_notices("trigflow", 25) and not step_notices("rq_transformer", 1)


def test_the_prompt_can_guide_through_clap(players: dict[str, MusicContinuation]) -> None:
    player = players["consistency"]
    plain = player.generate(prompt(), 0.3, seed=1)
    guided, stronger = (player.generate(prompt(), 0.3, seed=1, guide="prompt", cfg=cfg) for cfg in (None, 4.0))
    assert guided.meta["cfg"] == 2.0  # the model's own
    assert not torch.equal(plain.samples, guided.samples) and not torch.equal(guided.samples, stronger.samples)
    with pytest.raises(InputError, match="nothing to guide by"):
        player.stream(prompt(), 1.0, cfg=2.0)
    with pytest.raises(InputError, match="no CLAP model"):
        players["plain"].stream(prompt(), 1.0, guide="prompt")
    with pytest.raises(InputError, match="no prompt"):
        player.stream(None, 1.0, guide="prompt")
    with pytest.raises(InputError, match="must be none or prompt"):
        player.stream(prompt(), 1.0, guide="text")  # type: ignore[arg-type]


def test_descriptions_and_sounds_lead_to_music(composer: ClapToMusic) -> None:
    reference = prompt(3.0, 44_100)
    text, same, other, sound, both = (
        composer.generate(words, 0.4, seed=1, audio_prompt=heard)
        for words, heard in (("a slow waltz", None), (" a slow waltz\n", None), ("fast drums", None),
                             (None, reference), ("a slow waltz", reference))
    )  # fmt: skip
    assert text.seconds == pytest.approx(0.4) and torch.equal(text.samples, same.samples)
    for one, two in ((text, other), (text, sound), (text, both), (sound, both)):
        assert not torch.equal(one.samples, two.samples)
    assert (text.meta["cfg"], sound.meta["cfg"], both.meta["cfg"]) == (3.0, 2.0, 3.0)  # the model's own
    assert text.meta["text"] == "a slow waltz" and composer.generate("x", 0.4, cfg=1.5).meta["cfg"] == 1.5
    assert both.meta["text_weight"] == 0.5 and both.meta["reference_seconds"] == 3.0
    embedding = composer.embedding("a slow waltz", reference, 0.25)
    parts = 0.25 * composer.embedding("a slow waltz") + 0.75 * composer.embedding(None, reference)
    torch.testing.assert_close(embedding, parts / parts.norm())
    alone = composer.generate_variants("a slow waltz", 0.4, count=6, seed=0)[1]
    assert torch.equal(alone.samples, text.samples)


def test_what_clap_does_not_know_is_said(composer: ClapToMusic, tmp_path: Path) -> None:
    save_file(sounds.build().state_dict(), tmp_path / "model.safetensors")
    sounds.write_tokenizer(tmp_path / "tokenizer.model")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(sounds.model("tokenizer.model")), encoding="utf-8")
    knows = ClapToMusic(composer.info, composer.model, calm_core.load(str(tmp_path), task="clap"))
    clipped = Audio((prompt().samples * 20).clamp(-1, 1), RATE)
    strange = knows.generate(" Ein tiefes Brummen ohne Ende\n", 0.2, seed=1, audio_prompt=clipped, steps=11)
    unknown, loud, slow = strange.meta["notices"]
    assert "'Ein tiefes Brummen ohne Ende'" in unknown and "in English" in unknown
    assert "clipped" in loud and "11 are slower" in slow
    first, second = knows.generate_variants("a low hum and " * 20, 0.2, count=2, seed=1)
    assert first.meta["notices"] == second.meta["notices"] and "only the first 32" in first.meta["notices"][0]
    for words, heard in (("a low hum", None), (None, prompt())):
        assert knows.generate(words, 0.2, seed=1, audio_prompt=heard).meta["notices"] == []


def test_streams_stop_and_share_a_model(composer: ClapToMusic) -> None:
    stream = composer.stream("a long song", 100.0, seed=1)
    assert len([next(stream) for _ in range(3)]) == 3
    stream.close()
    assert list(stream) == []
    halt = threading.Event()
    stream = composer.stream("a long song", 100.0, seed=1, stop=halt)
    next(stream)
    halt.set()
    assert len(list(stream)) <= 1
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda seed: composer.generate("a song", 0.4, seed=seed).samples, (1, 2, 1)))
    assert torch.equal(made[0], made[2]) and torch.equal(made[1], composer.generate("a song", 0.4, seed=2).samples)


@pytest.mark.parametrize(
    ("sound", "says"),
    [
        (prompt(0.5), "lasts 0.50 s and must last at least 1 s"),
        (prompt(600.0, 8000), "lasts 600 s and may last 60 s"),
        (Audio(torch.zeros(2 * RATE), RATE), "Nothing can be heard in the last 2 s"),
        (Audio(torch.cat([prompt().samples, torch.zeros(11 * RATE)]), RATE), "Nothing can be heard in the last 10 s"),
        (Audio(torch.full((2 * RATE,), float("nan")), RATE), "not numbers"),
        (Audio(torch.zeros(0), RATE), "empty"),
    ],
)
def test_sounds_that_cannot_be_used_say_why(
    players: dict[str, MusicContinuation], composer: ClapToMusic, sound: Audio, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        players["consistency"].stream(sound, 1.0)
    if "last 10" not in says:  # of a reference all is heard
        with pytest.raises(InputError, match=says):
            composer.stream("a song", 1.0, audio_prompt=sound)


@pytest.mark.parametrize(
    ("head", "values", "says"),
    [
        ("consistency", {"seconds": 0.0}, "seconds is 0 and must be between 0.1 and 120"),
        ("consistency", {"seconds": 10_000.0}, "seconds is 10000"),
        ("consistency", {"steps": 1000}, "steps is 1000 and must be between 1 and 128"),
        ("consistency", {"top_k": 5}, "no codes"),
        ("consistency", {"guide": "prompt", "cfg": 11.0}, "cfg is 11 and must be between 0 and 10"),
        ("rq_transformer", {"steps": 4}, "take one step"),
    ],
)
def test_values_outside_the_limits_say_which(
    players: dict[str, MusicContinuation], head: str, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        players[head].stream(prompt(), **{"seconds": 1.0, **values})
    for count in (0, 7, 1.5):
        with pytest.raises(InputError, match="count is"):
            players[head].stream_variants(prompt(), 1.0, count=count)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "values", "says"),
    [
        ("  ", {}, "description is empty"),
        ("x" * 5000, {}, "5,000 characters and may have 1,000"),
        (None, {}, "nothing to make music of"),
        ("a song", {"cfg": -1.0}, "cfg is -1"),
        ("a song", {"text_weight": 1.5}, "text_weight is 1.5"),
        ("a song", {"seed": -1}, "seed"),
    ],
)
def test_descriptions_that_cannot_be_used_say_why(
    composer: ClapToMusic, words: str | None, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        composer.stream(words, 1.0, **values)


def test_models_of_other_tasks_are_refused(folders: dict[str, str], tmp_path: Path) -> None:
    for model, task, says in (
        ("calm-continuation-en", "music_continuation", "task of 'calm-continuation-en' is speech_continuation"),
        ("calm-codec-speech", "clap_to_music", "choose a model whose task is clap_to_music"),
        (folders["plain"], "clap_to_music", "trained without CLAP"),
        (folders["plain"], "speech_continuation", "is music_continuation; choose a model whose task is speech"),
        (folders["plain"], "tts", "makes music and cannot speak"),
    ):
        with pytest.raises(InputError, match=says):
            calm_core.load(model, task=task)  # type: ignore[call-overload]
    info = catalogue.find(folders["consistency"]).info
    assert info.task == "music_continuation" and info.tasks == ("music_continuation", "clap_to_music")
    assert catalogue.find(folders["plain"]).info.tasks == ("music_continuation",)


def test_another_clap_model_is_refused(composer: ClapToMusic) -> None:
    other = tiny.Clap()
    other.width = 8
    with pytest.raises(InputError, match="of 16 numbers and its CLAP model gives 8"):
        ClapToMusic(composer.info, composer.model, other)


def test_the_commands_make_music(folders: dict[str, str], tmp_path: Path, capfdbinary: Any) -> None:
    heard, out = tmp_path / "prompt.wav", tmp_path / "made.wav"
    calm_core.write_audio(heard, prompt())
    model = ["--model", folders["consistency"], "--seed", "1"]
    assert main(["continue-music", str(heard), "--seconds", "0.4", "--out", str(out), *model, "--steps", "2"]) == 0
    assert calm_core.read_audio(out).seconds == pytest.approx(2.4, abs=0.01)
    assert main(["music", "a waltz", "--seconds", "0.4", "--out", str(out), *model, "--audio-prompt", str(heard)]) == 0
    assert calm_core.read_audio(out).seconds == pytest.approx(0.4, abs=0.01)
    capfdbinary.readouterr()
    assert main(["music", "a waltz", "--seconds", "0.4", "--out", "-", *model]) == 0
    streamed = capfdbinary.readouterr().out
    assert streamed[:4] == b"RIFF" and len(streamed) > 25_600
    for arguments in (["music", "", "--seconds", "1"], ["continue-music", str(heard), "--seconds", "0"]):
        assert main([*arguments, "--out", str(out), *model]) == 2
        assert len(capfdbinary.readouterr().err.splitlines()) == 1
