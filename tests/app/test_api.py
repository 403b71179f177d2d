"""The REST interface on a real server with a tiny real model."""

import io
import json
import socket
import time

import httpx
import mutagen
import numpy as np
import pytest
import soundfile

from tests.app.conftest import Site
from tests.app.tiny import RATE, voice_like

SPEECH = "/api/v1/audio/speech"


def wav_bytes(samples: np.ndarray, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV")
    return buffer.getvalue()


def assert_openai_error(response: httpx.Response, status: int, *words: str) -> str:
    """The answer is one sentence in OpenAI's shape that has these words in it, and no traceback."""
    assert response.status_code == status, response.text[:200]
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    message = error["message"]
    assert "Traceback" not in response.text and "\n" not in message
    for word in words:
        assert word.lower() in message.lower(), message
    return message


def test_health_tells_of_the_engine_and_the_queue(api: httpx.Client) -> None:
    health = api.get("/healthz").json()
    assert health["status"] == "ready"
    assert health["active"] == 0
    assert health["waiting"] == 0
    assert len(health["models"]) >= 1


def test_models_and_voices_are_listed_with_licences(api: httpx.Client) -> None:
    models = api.get("/api/v1/models").json()
    assert models["object"] == "list"
    by_id = {model["id"]: model for model in models["data"]}
    assert by_id["pocket-tts/english"]["object"] == "model"
    assert by_id["pocket-tts/english"]["licence"]
    voices = api.get("/api/v1/voices").json()["data"]
    assert {voice["name"] for voice in voices} == {"slt", "rms"}
    assert all(voice["licence"] for voice in voices)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "pcm"])
def test_speech_comes_in_every_format_and_is_marked(api: httpx.Client, name: str) -> None:
    body = {"input": "A short line.", "voice": "slt", "response_format": name, "seed": 7}
    response = api.post(SPEECH, json=body)
    assert response.status_code == 200, response.text
    assert response.headers["X-Seed"] == "7"
    assert response.headers["X-Synthetic-Audio"] == "true"
    if name == "pcm":
        samples = np.frombuffer(response.content, "<i2")
    else:
        samples, rate = soundfile.read(io.BytesIO(response.content), dtype="int16")
        assert rate == RATE
        assert "synthetic" in str(mutagen.File(io.BytesIO(response.content))).lower() or name == "wav"
        assert b"Synthetic speech" in response.content
    assert 0.3 * RATE < len(samples) < 5 * RATE
    assert np.abs(samples).max() > 0


def test_a_seed_gives_the_same_bits_and_another_one_does_not(api: httpx.Client) -> None:
    def speak(seed: int, text: str) -> bytes:
        return api.post(SPEECH, json={"input": text, "response_format": "pcm", "seed": seed}).content

    streamed = speak(11, "Twice the same.")
    assert speak(11, "Twice the same.") == streamed
    assert speak(12, "Twice the same.") != streamed


def test_speech_streams_before_it_is_done(api: httpx.Client, site: Site) -> None:
    body = {"model": slow(site), "input": "This takes a long while to say.", "response_format": "pcm"}
    began = time.monotonic()
    with api.stream("POST", SPEECH, json=body) as response:
        assert response.status_code == 200
        blocks = response.iter_raw()
        first = next(blocks)
        first_seconds = time.monotonic() - began
        total = len(first) + sum(len(block) for block in blocks)
    whole_seconds = time.monotonic() - began
    assert total / 2 / RATE > 10
    assert first_seconds < whole_seconds / 2


def slow(site: Site) -> str:
    return str(site.settings.extra_models[0])


def test_a_client_that_leaves_stops_its_run(site: Site) -> None:
    body = {"model": slow(site), "input": "word " * 180, "response_format": "pcm"}
    with httpx.Client(base_url=site.url) as client, client.stream("POST", SPEECH, json=body) as response:
        next(response.iter_raw())
        assert site.services.runs.active == 1
    assert site.idle(within=3)


def test_a_client_that_leaves_while_waiting_for_a_whole_file_stops_its_run(site: Site) -> None:
    body = json.dumps({"model": slow(site), "input": "word " * 180, "response_format": "flac"}).encode()
    host, port = site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = (f"POST {SPEECH} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}")
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        end = time.monotonic() + 5
        while site.services.runs.active == 0 and time.monotonic() < end:
            time.sleep(0.01)
        assert site.services.runs.active == 1
    assert site.idle(within=3)


def test_a_full_queue_says_busy_and_is_free_again(site: Site) -> None:
    places = site.settings.concurrency + site.settings.queue_size
    body = {"model": slow(site), "input": "word " * 180, "response_format": "pcm"}
    with httpx.Client(base_url=site.url, timeout=10) as client:
        waiting = [site.services.open_run(model=slow(site), text="wait", voice=site.services.voices.preset("slt"))
                   for _ in range(places)]  # fmt: skip
        refused = client.post(SPEECH, json=body)
        for run in waiting:
            site.services.runs.stop(run.id)
        assert_openai_error(refused, 503, "busy", str(places))
        assert refused.headers["Retry-After"] == "5"
        assert client.post(SPEECH, json={"input": "Free again.", "response_format": "pcm"}).status_code == 200
    assert site.idle()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": ""}, ["no text"]),
        ({"input": " \n\t "}, ["no text"]),
        ({"input": "a" * 100_000}, ["100,000", "1,000"]),
        ({"input": "😀🎉"}, ["nothing to speak"]),
        ({"input": "漢字だけ"}, ["Latin"]),
        ({"input": "\x00\x07\x1b"}, ["nothing to speak"]),
        ({"voice": "nobody"}, ["nobody", "slt"]),
        ({"voice": "/etc/passwd"}, ["no voice"]),
        ({"voice": "saved:00ff"}, ["saved voice"]),
        ({"response_format": "opus"}, ["opus", "wav"]),
        ({"response_format": "aac"}, ["aac", "wav"]),
        ({"seed": -1}, ["seed"]),
        ({"temperature": 50}, ["temperature", "2"]),
        ({"steps": 0}, ["steps", "1"]),
        ({"steps": 1.5}, ["steps"]),
        ({"cfg": -1}, ["cfg"]),
        ({"speed": 9}, ["speed", "2"]),
        ({"speed": 1.5}, ["speed"]),
        ({"instructions": "whisper"}, ["instructions"]),
        ({"stream_format": "sse"}, ["stream"]),
        ({"colour": "red"}, ["colour"]),
        ({"input": 3}, ["input"]),
    ],
)
def test_bad_fields_are_one_sentence(api: httpx.Client, site: Site, change: dict, words: list[str]) -> None:
    response = api.post(SPEECH, json={"input": "Fine.", "response_format": "wav", **change})
    assert_openai_error(response, 400, *words)
    assert site.idle()


@pytest.mark.parametrize("model", ["nothing", "../../etc", "/etc/passwd", "hf://someone/else/config.yaml"])
def test_only_listed_models_are_loaded(api: httpx.Client, model: str) -> None:
    response = api.post(SPEECH, json={"model": model, "input": "Fine."})
    assert_openai_error(response, 404, "model")


def test_weights_that_cannot_be_fetched_are_one_sentence(api: httpx.Client) -> None:
    response = api.post(SPEECH, json={"model": "pocket-tts/english", "input": "Fine.", "voice": "alba"})
    message = assert_openai_error(response, 400, "pocket-tts")
    assert message.count(". ") <= 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe"])
def test_bodies_that_are_not_requests_are_one_sentence(api: httpx.Client, body: bytes) -> None:
    response = api.post(SPEECH, content=body, headers={"Content-Type": "application/json"})
    assert_openai_error(response, 400)


def test_a_body_beyond_the_limit_is_refused(api: httpx.Client, site: Site) -> None:
    body = b'{"input": "' + b"a" * int(site.settings.max_upload_mb * 1e6 + 2e6) + b'"}'
    response = api.post(SPEECH, content=body, headers={"Content-Type": "application/json"})
    assert_openai_error(response, 413, "MB")


def test_the_documentation_needs_nothing_from_elsewhere(api: httpx.Client) -> None:
    page = api.get("/api/docs").text
    assert "/api/v1/audio/speech" in page
    assert "src=" not in page
    assert "/api/v1/audio/speech" in api.get("/api/openapi.json").json()["paths"]


def test_an_unknown_route_is_json(api: httpx.Client) -> None:
    assert_openai_error(api.get("/api/v1/nothing"), 404)
    assert_openai_error(api.get("/api/v1/clips/ffffffffffffffffffffffffffffffff.wav"), 404, "make it again")
    assert_openai_error(api.get("/api/v1/clips/..%2f..%2fsecret.key.wav"), 404)
    assert_openai_error(api.get("/api/v1/runs/none/stream"), 404)


class TestSavedVoices:
    def save(self, api: httpx.Client, sound: bytes, **form: str) -> httpx.Response:
        form = {"name": "Mine", "consent": "true", **form}
        return api.post("/api/v1/voices", data=form, files={"file": ("voice.wav", sound)})

    def test_a_voice_is_saved_spoken_with_and_deleted(self, api: httpx.Client, site: Site) -> None:
        before = len(site.services.store.consents())
        saved = self.save(api, wav_bytes(voice_like(2.5)))
        assert saved.status_code == 201, saved.text
        voice = saved.json()
        assert voice["seconds"] == pytest.approx(2.5, abs=0.01)
        assert len(site.services.store.consents()) == before + 1
        body = {"input": "In my own voice.", "voice": voice["id"], "response_format": "wav"}
        assert api.post(SPEECH, json=body).status_code == 200
        assert api.delete(f"/api/v1/voices/{voice['id']}").json()["deleted"]
        assert_openai_error(api.post(SPEECH, json=body), 400, "saved voice")

    def test_without_consent_nothing_is_kept(self, api: httpx.Client, site: Site) -> None:
        before = len(site.services.store.consents())
        assert_openai_error(self.save(api, wav_bytes(voice_like(2)), consent="false"), 403, "right to use")
        assert len(site.services.store.consents()) == before

    @pytest.mark.parametrize(
        ("sound", "words"),
        [
            (b"", []),
            (b"This is a letter and no sound at all.", []),
            (wav_bytes(voice_like(3))[:30], []),
            (wav_bytes(np.zeros(3 * RATE, np.float32)), ["silent"]),
            (wav_bytes(voice_like(0.1)), ["0.10 s", "1 s"]),
            (wav_bytes(voice_like(25), 24_000), ["25 s", "20 s"]),
            (wav_bytes(np.zeros(0, np.float32)), []),
        ],
        ids=["empty", "text", "truncated", "silent", "short", "long", "no-samples"],
    )
    def test_sounds_without_a_voice_are_one_sentence(self, api: httpx.Client, sound: bytes, words: list[str]) -> None:
        assert_openai_error(self.save(api, sound), 400, *words)

    def test_not_a_number_is_one_sentence(self, api: httpx.Client) -> None:
        buffer = io.BytesIO()
        samples = voice_like(2)
        samples[100:200] = np.nan
        soundfile.write(buffer, samples, RATE, format="WAV", subtype="FLOAT")
        assert_openai_error(self.save(api, buffer.getvalue()), 400, "numbers")

    @pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (192_000, 1), (48_000, 6)])
    def test_any_rate_and_number_of_channels_will_do(self, api: httpx.Client, rate: int, channels: int) -> None:
        samples = voice_like(2, rate)
        saved = self.save(api, wav_bytes(np.stack([samples] * channels, axis=1), rate))
        assert saved.status_code == 201, saved.text
        api.delete(f"/api/v1/voices/{saved.json()['id']}")

    def test_too_large_an_upload_is_refused(self, api: httpx.Client, site: Site) -> None:
        sound = b"RIFF" + b"0" * int(site.settings.max_upload_mb * 1e6 + 1e5)
        assert_openai_error(self.save(api, sound), 413, "3 MB")

    def test_a_name_is_needed(self, api: httpx.Client) -> None:
        assert_openai_error(self.save(api, wav_bytes(voice_like(2)), name=" "), 400, "name")


def test_the_gradio_api_has_named_endpoints(site: Site) -> None:
    from gradio_client import Client

    client = Client(site.url, verbose=False, analytics_enabled=False)
    try:
        named = client.view_api(return_format="dict")["named_endpoints"]  # pyright: ignore
        assert {"/speak", "/models", "/voices"} <= set(named)
        assert not any("start" in name or "open_page" in name for name in named), "page handlers are not public"
        path, info = client.predict(text="Hello there.", voice="slt", seed=5, audio_format="flac", api_name="/speak")
        assert soundfile.info(path).samplerate == RATE
        assert info["seed"] == 5
        assert client.predict(model="", api_name="/voices")[0]["name"] in ("slt", "rms")
        with pytest.raises(Exception, match="no text"):
            client.predict(text="", api_name="/speak")
    finally:
        client.close()
