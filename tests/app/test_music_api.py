"""Music over REST, the Gradio API and the runs below them, with tiny real models at 32 kHz and a tiny real CLAP."""

import base64
import io
import json

import httpx
import numpy as np
import pytest
import soundfile

from app.continuation import ExamplePrompts
from app.errors import UserError
from app.music import check_described_music, check_music_continuation
from app.music_prompts import GENRES, LIST
from app.settings import ASSETS, load_settings
from app.speech import VoiceRef
from tests.app.conftest import Site
from tests.app.test_api import assert_openai_error
from tests.app.tiny import voice_like
from tests.app.visit import wav

MUSIC = "/api/v1/audio/music"
CONTINUATIONS = MUSIC + "/continuations"
RATE = 32_000
FORM = {"seconds": "1", "seed": "5", "response_format": "wav"}


def tone(seconds: float, rate: int = RATE, level: float = 0.3) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * 220 * time) + level / 3 * np.sin(2 * np.pi * 331 * time)).astype(np.float32)


def sounding(content: bytes) -> np.ndarray:
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    assert rate == RATE
    return samples


def sent(samples: np.ndarray, rate: int = RATE) -> dict:
    return {"file": ("piece.wav", wav(samples, rate))}


def test_a_piece_goes_on_and_its_part_is_kept(api: httpx.Client) -> None:
    piece = tone(5)
    answer = api.post(CONTINUATIONS, data=FORM, files=sent(piece))
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Seed"] == "5" and "X-Notices" not in answer.headers
    assert b"Synthetic music" in answer.content[:200]
    samples = sounding(answer.content)
    assert len(samples) == 4 * RATE and np.abs(samples[3 * RATE :]).max() > 0
    assert np.abs(samples[: 3 * RATE - RATE // 200] / 32768 - piece[: 3 * RATE - RATE // 200]).max() < 1e-3
    told = api.get(answer.headers["Link"].split(">")[0].removeprefix("<")).json()
    assert told["task"] == "music_continuation" and told["prompt_seconds"] == 3.0 and told["notices"] == []
    assert np.array_equal(sounding(api.get(told["audio"]["flac"]).content), samples)
    # a result goes on from its end
    body = {"clip": told["id"], "prompt_part": "end", "prompt_seconds": 2, "seconds": 1, "response_format": "json"}
    again = api.post(CONTINUATIONS, json=body).json()
    assert again["seconds"] == 3.0 and again["parameters"]["prompt"] == f"clip:{told['id']}"
    whole = sounding(api.get(again["audio"]["wav"]).content)
    assert np.abs(whole[: 2 * RATE - 200].astype(int) - samples[2 * RATE : -200]).max() <= 1


def test_variants_are_what_their_seeds_make_alone_and_come_from_memory(api: httpx.Client) -> None:
    body = {"description": "a low hum", "seconds": 1, "seed": 3, "count": 2, "response_format": "json"}
    told = api.post(MUSIC, json=body).json()
    assert [one["seed"] for one in told["variants"]] == [3, 4] and told["id"] == told["variants"][0]["id"]
    first, second = (sounding(api.get(one["audio"]["wav"]).content) for one in told["variants"])
    assert len(first) == RATE and not np.array_equal(first, second)
    alone = api.post(MUSIC, json={**body, "count": 1, "seed": 4, "response_format": "pcm"})
    assert np.array_equal(np.frombuffer(alone.content, "<i2"), second), "the same seed gives the same bits"
    assert api.post(MUSIC, json=body).json() == told


def test_sound_of_every_form_is_a_prompt_or_a_reference(api: httpx.Client) -> None:
    for samples, rate in ((np.stack([tone(2, 8000)] * 2, 1), 8000), (tone(2, 96_000), 96_000), (voice_like(2), 24_000)):
        made = api.post(CONTINUATIONS, data={**FORM, "prompt_part": "all"}, files=sent(samples, rate))
        assert made.status_code == 200 and len(sounding(made.content)) == 3 * RATE
    sound = base64.b64encode(wav(tone(2), RATE)).decode()
    body = {"seconds": 1, "seed": 1, "response_format": "json"}
    made = [
        api.post(MUSIC, json={**body, **asked}).json()["id"]
        for asked in ({"audio": sound}, {"audio": sound, "description": "white noise"}, {"description": "white noise"},
                      {"prompt": "jazz"}, {"audio": sound, "description": "white noise", "text_weight": 0.9})
    ]  # fmt: skip
    assert len(set(made)) == 5


def test_notices_come_with_the_answer(api: httpx.Client) -> None:
    clipped = np.clip(tone(3) * 20, -1, 1)
    answer = api.post(CONTINUATIONS, data={**FORM, "steps": "11"}, files=sent(clipped))
    clipping, steps = json.loads(answer.headers["X-Notices"])
    assert "clipped" in clipping and "11 are slower" in steps
    told = api.post(MUSIC, json={"description": "Ein tiefes Brummen", "seconds": 1, "response_format": "json"}).json()
    assert "English" in told["notices"][0]


@pytest.mark.parametrize(
    ("address", "change", "status", "words"),
    [
        (CONTINUATIONS, {"prompt": "nobody"}, 404, ["nobody", "jazz"]),
        (CONTINUATIONS, {"prompt": ""}, 400, ["upload a sound"]),
        (CONTINUATIONS, {"clip": "0" * 32}, 400, ["one sound"]),
        (CONTINUATIONS, {"prompt": "", "clip": "0" * 32}, 404, ["no longer kept"]),
        (CONTINUATIONS, {"prompt_part": "middle"}, 400, ["beginning, end or all"]),
        (CONTINUATIONS, {"seconds": 0}, 400, ["seconds", "1 to 30"]),
        (CONTINUATIONS, {"seconds": 10_000}, 400, ["seconds", "30"]),
        (CONTINUATIONS, {"steps": 1000}, 400, ["steps", "100"]),
        (CONTINUATIONS, {"cfg": 3}, 400, ["guide"]),
        (CONTINUATIONS, {"count": 2}, 400, ["json"]),
        (CONTINUATIONS, {"count": 9}, 400, ["variants come as links"]),
        (CONTINUATIONS, {"top_k": 4}, 400, ["no top_k"]),
        (CONTINUATIONS, {"model": "calm-tts-en"}, 404, ["model"]),
        (CONTINUATIONS, {"voice": "slt"}, 400, ["voice"]),
        (MUSIC, {"description": "  ", "prompt": ""}, 400, ["empty"]),
        (MUSIC, {"description": "x" * 5000}, 400, ["5,000", "1,000"]),
        (MUSIC, {"description": "?!"}, 400, ["no word"]),
        (MUSIC, {"text_weight": 2}, 400, ["text weight", "1"]),
        (MUSIC, {"count": 9, "response_format": "json"}, 400, ["count", "1 to 4"]),
        (MUSIC, {"response_format": "opus"}, 400, ["opus", "json"]),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(
    api: httpx.Client, site: Site, address: str, change: dict, status: int, words: list[str]
) -> None:
    body = {"prompt": "jazz", "seconds": 1, "response_format": "wav", **change}
    assert_openai_error(api.post(address, json=body), status, *words)
    assert site.idle()


@pytest.mark.parametrize(
    ("sound", "rate", "words"),
    [
        (tone(0.5), RATE, ["0.50 s", "1 s"]),
        (tone(600, 1000), 1000, ["1000 samples"]),
        (tone(100, 8000), 8000, ["100 s", "20 s"]),
        (np.zeros(3 * RATE, np.float32), RATE, ["silen"]),
        (np.concatenate([tone(1), np.zeros(2 * RATE, np.float32)])[::-1].copy(), RATE, ["Nothing can be heard"]),
    ],
    ids=["short", "slow", "long", "silent", "silent at its beginning"],
)
def test_sounds_that_cannot_be_used_are_one_sentence(
    api: httpx.Client, sound: np.ndarray, rate: int, words: list[str]
) -> None:
    answer = api.post(CONTINUATIONS, data={**FORM, "prompt_seconds": "2"}, files=sent(sound, rate))
    assert_openai_error(answer, 400, *words)


def test_without_a_model_the_server_says_so(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    from calm_core import catalogue

    monkeypatch.setattr(catalogue, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(site.settings, "extra_music", [])
    answer = httpx.post(site.url + MUSIC, json={"description": "a hum"}, timeout=30)
    assert_openai_error(answer, 404, "No model that makes music", "CALM_EXTRA_MUSIC")


def test_only_models_with_a_clap_read_descriptions(site: Site, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.app.tiny import make_music

    bare = make_music(tmp_path / "models" / "bare")
    (tmp_path / "models" / "clap" / "config.yaml").unlink()
    monkeypatch.setattr(site.settings, "extra_music", [*site.settings.extra_music, bare])
    models = site.services.synthesizer.catalogue
    continuing = {one["id"]: one for one in models.of("music_continuation")}
    assert continuing[str(bare)]["described"] is False and continuing[str(bare)]["head"] == "consistency"
    assert str(bare) not in {one["id"] for one in models.of("clap_to_music")}
    assert models.default("clap_to_music") == str(site.settings.extra_music[0])


def test_requests_have_their_defaults_and_the_bundled_pieces_are_long_enough() -> None:
    prompts = ExamplePrompts(ASSETS / "music", LIST)
    assert [one.name for one in prompts.all()] == [genre.replace(" ", "-") for genre in GENRES]
    found = [soundfile.info(one.path) for one in prompts.all()]
    assert all((one.duration, one.samplerate, one.channels) == (8.0, RATE, 1) for one in found)
    assert sum(one.path.stat().st_size for one in prompts.all()) < 1.2e6
    settings = load_settings()
    request = check_music_continuation(settings, model="m", prompt=prompts.get("jazz"))
    assert (request.prompt_seconds, request.seconds, request.count, request.cloned) == (3.0, 27.0, 1, False)
    described = check_described_music(settings, model="m", description=" a\n hum ", count=3, seed=7)
    assert described.description == "a hum" and [one.seed for one in described.alone()] == [7, 8, 9]
    assert len({one.key("f") for one in described.alone()}) == 3
    own = check_described_music(settings, model="m", reference=VoiceRef("your piece", None, "1"))
    assert own.cloned and own.key("f") != described.key("f")
    with pytest.raises(UserError, match="makes music"):
        check_music_continuation(settings, model="", prompt=prompts.get("jazz"))


def test_the_gradio_api_makes_music(site: Site, tmp_path) -> None:
    from gradio_client import Client, handle_file

    (tmp_path / "piece.wav").write_bytes(wav(tone(3), RATE))
    client = Client(site.url, verbose=False, analytics_enabled=False)
    try:
        paths, infos = client.predict(
            recording=handle_file(str(tmp_path / "piece.wav")), seconds=1, seed=4, count=2, api_name="/continue_music"
        )
        assert [soundfile.info(path).frames for path in paths] == [4 * RATE] * 2
        assert [info["seed"] for info in infos] == [4, 5]
        paths, infos = client.predict(description="a low hum", seconds=1, seed=4, api_name="/music")
        assert soundfile.info(paths[0]).frames == RATE and infos[0]["description"] == "a low hum"
        with pytest.raises(Exception, match="description is empty"):
            client.predict(api_name="/music")
    finally:
        client.close()
