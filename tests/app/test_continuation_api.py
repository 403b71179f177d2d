"""Speech continuation over REST, the Gradio API and the runs below them, with tiny real models of both kinds."""

import asyncio
import base64
import io
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import soundfile

from app.continuation import ExamplePrompts, check_continuation, sheet, words_changed
from app.errors import UserError
from app.models import GO_ON
from app.run_events import Finished, Pcm, Started, Words
from app.runs import Run
from app.settings import ASSETS
from tests.app.conftest import Site
from tests.app.test_api import assert_openai_error, wav_bytes
from tests.app.tiny import RATE, voice_like

CONTINUATIONS = "/api/v1/audio/continuations"
FORM = {"consent": "true", "seconds": "2", "seed": "5", "response_format": "wav"}
KEPT = 71_040  # 3 s in whole frames of 80 ms, at 24 kHz


def sounding(content: bytes) -> np.ndarray:
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    assert rate == RATE
    return samples


def test_a_form_is_continued_with_the_prompt_at_its_head(api: httpx.Client) -> None:
    prompt = voice_like(4)
    answer = api.post(CONTINUATIONS, data=FORM, files={"file": ("me.wav", wav_bytes(prompt))})
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Seed"] == "5" and answer.headers["X-Synthetic-Audio"] == "true"
    samples = sounding(answer.content)
    assert len(samples) == KEPT + 2 * RATE
    # 3 s of the prompt, less what is no whole frame at its beginning and the last 5 ms, which fade into the new sound
    begin = 3 * RATE - KEPT
    kept = prompt[begin : 3 * RATE - RATE // 200]
    assert np.abs(samples[: len(kept)] / 32768 - kept).max() < 1e-3
    assert np.abs(samples[KEPT:]).max() > 0
    # the header leads to the words
    address = answer.headers["Link"].split(">")[0].removeprefix("<")
    told = api.get(address).json()
    assert told["prompt_seconds"] == KEPT / RATE and told["parameters"]["prompt"] == "your recording"
    assert " ".join(word["text"] for word in told["words"]) == told["text"] != ""
    times = [word["seconds"] for word in told["words"]]
    assert times == sorted(times) and times[0] >= told["prompt_seconds"]
    assert np.array_equal(sounding(api.get(told["audio"]["flac"]).content), samples)
    assert api.get(f"/api/v1/clips/{told['id']}.txt").text.startswith(told["text"] + "\n")


def test_an_example_is_continued_by_codes_as_json(api: httpx.Client, site: Site) -> None:
    names = [prompt["name"] for prompt in api.get("/api/v1/prompts").json()["data"]]
    assert "slt" in names
    body = {"model": str(site.settings.extra_continuations[1]), "prompt": "slt", "seconds": 1, "top_k": 5}
    answer = api.post(CONTINUATIONS, json={**body, "response_format": "json", "seed": 3})
    told = answer.json()
    assert answer.status_code == 200 and told["parameters"]["top_k"] == 5 and told["seconds"] == pytest.approx(3.96)
    again = api.post(CONTINUATIONS, json={**body, "response_format": "pcm", "seed": 3})
    kept = sounding(api.get(told["audio"]["wav"]).content)
    assert np.array_equal(np.frombuffer(again.content, "<i2"), kept), "the same request gives the same bits"


def test_a_recording_may_come_as_base64(api: httpx.Client) -> None:
    sound = base64.b64encode(wav_bytes(voice_like(2))).decode()
    body = {"audio": sound, "consent": True, "seconds": 1, "response_format": "flac"}
    answer = api.post(CONTINUATIONS, json=body)
    assert answer.status_code == 200 and len(sounding(answer.content)) == 3 * RATE


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"prompt": "nobody"}, 404, ["nobody", "slt"]),
        ({"prompt": ""}, 400, ["example prompt"]),
        ({"audio": "x!"}, 400, ["one sound"]),
        ({"audio": "x!", "prompt": ""}, 400, ["base64"]),
        ({"model": "/etc/passwd"}, 404, ["model"]),
        ({"model": "calm-tts-en"}, 404, ["model"]),
        ({"seconds": 600}, 400, ["seconds", "60"]),
        ({"prompt_seconds": 0.2}, 400, ["prompt seconds", "1"]),
        ({"text_temperature": 9}, 400, ["text temperature", "2"]),
        ({"top_k": 4}, 400, ["no top_k"]),
        ({"seed": -1}, 400, ["seed"]),
        ({"voice": "slt"}, 400, ["voice"]),
        ({"seconds": "long"}, 400, ["seconds"]),
        ({"response_format": "opus"}, 400, ["opus", "json"]),
    ],
)
def test_what_cannot_be_continued_is_one_sentence(
    api: httpx.Client, site: Site, change: dict, status: int, words: list[str]
) -> None:
    answer = api.post(CONTINUATIONS, json={"prompt": "slt", "seconds": 1, "response_format": "wav", **change})
    assert_openai_error(answer, status, *words)
    assert site.idle()


@pytest.mark.parametrize(
    ("sound", "form", "status", "words"),
    [
        (voice_like(2), {"consent": "false"}, 403, ["right to use"]),
        (voice_like(0.4), {}, 400, ["0.40 s", "1 s"]),
        (voice_like(25), {}, 400, ["25 s", "20 s"]),
        (np.random.default_rng(0).normal(0, 0.05, 3 * RATE).astype(np.float32), {}, 400, ["No speech was found"]),
    ],
    ids=["consent", "short", "long", "noise"],
)
def test_recordings_that_cannot_be_continued_are_one_sentence(
    api: httpx.Client, sound: np.ndarray, form: dict, status: int, words: list[str]
) -> None:
    answer = api.post(CONTINUATIONS, data={**FORM, **form}, files={"file": ("me.wav", wav_bytes(sound))})
    assert_openai_error(answer, status, *words)


def test_words_are_told_before_their_sound_and_kept_for_the_next_time(site: Site) -> None:
    services = site.services
    model = str(site.settings.extra_continuations[0])

    def opened(after: Run | None = None) -> Run:
        prompt = services.prompts.get("rms")
        return services.open_continuation(model=model, prompt=prompt, seconds=3, seed=8, after=after)

    async def told() -> tuple[list, list]:
        first = opened()
        second = opened(after=first)  # its listener comes first and waits all the same
        order: list[str] = []

        async def listen(name: str, run: Run) -> list:
            events = []
            async for event in services.runs.events(run):
                events.append(event)
                if isinstance(event, Started | Finished):
                    order.append(f"{name} {type(event).__name__}")
            return events

        after = asyncio.create_task(listen("second", second))
        await asyncio.sleep(0.05)
        events = await listen("first", first)
        kept = await after
        assert order == ["first Started", "first Finished", "second Started", "second Finished"]
        return events, kept

    with ThreadPoolExecutor(1) as thread:  # a browser of other tests may have left its own loop running in this one
        events, kept = thread.submit(lambda: asyncio.run(told())).result()
    assert isinstance(events[-1], Finished) and events[-1].clip is not None
    words: list[dict] = []
    heard = 0.0
    for event in events:
        if isinstance(event, Words):
            assert event.words and event.start <= len(words)
            new = event.words[len(words) - event.start :]
            assert all(word["seconds"] > heard - 0.5 for word in new), "told before it is heard"
            words = [*words[: event.start], *event.words]
        elif isinstance(event, Pcm):
            heard += len(event.samples) / RATE
    assert words == events[-1].info["words"]
    started = next(event for event in events if isinstance(event, Started))
    assert started.parameters["prompt_end"] == KEPT / RATE
    assert isinstance(kept[-1], Finished) and kept[-1].info["from_cache"]
    assert next(event for event in kept if isinstance(event, Words)) == Words(0, words)


def test_words_that_changed_begin_at_the_first_difference() -> None:
    one, two, grown = {"text": "a", "seconds": 1}, {"text": "b", "seconds": 2}, {"text": "bc", "seconds": 2}
    assert words_changed([], [one]) == 0
    assert words_changed([one], [one, two]) == 1
    assert words_changed([one, two], [one, grown]) == 1
    assert words_changed([one, two], [one, two]) == 2
    assert sheet({"text": "a b", "words": [one, two]}) == "a b\n\n1.00\ta\n2.00\tb\n"


def test_every_bundled_example_is_long_enough_and_a_request_has_its_defaults() -> None:
    prompts = ExamplePrompts(ASSETS / "voices")
    assert len(prompts.all()) >= 3
    assert all(soundfile.info(one.path).duration >= 4.9 for one in prompts.all())
    request = check_continuation(model="m", prompt=prompts.get("slt"), max_seconds=60)
    assert (request.prompt_seconds, request.seconds, request.cloned) == (3.0, 27.0, False)
    with pytest.raises(UserError, match="model that continues"):
        check_continuation(model="", prompt=prompts.get("slt"), max_seconds=60)


def test_the_models_are_listed_and_the_documentation_tells_of_them(api: httpx.Client, site: Site) -> None:
    by_task = [model["task"] for model in api.get("/api/v1/models").json()["data"]]
    assert by_task.count("speech_continuation") >= 2
    known = site.services.synthesizer.catalogue.of(GO_ON)
    own = {one["title"]: one["discrete"] for one in known if one["source"] == "local"}
    assert own == {"Tiny CALM": False, "Tiny RQ": True}
    schema = api.get("/api/openapi.json").json()["paths"][CONTINUATIONS]["post"]["requestBody"]["content"]
    assert set(schema) == {"application/json", "multipart/form-data"}
    assert CONTINUATIONS in api.get("/api/docs").text


def test_without_a_model_the_server_says_so(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    from calm_core import catalogue

    monkeypatch.setattr(catalogue, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(site.settings, "extra_continuations", [])
    assert site.services.synthesizer.catalogue.of(GO_ON) == []
    answer = httpx.post(site.url + CONTINUATIONS, json={"prompt": "slt"}, timeout=30)
    assert_openai_error(answer, 404, "no model", "CALM_EXTRA_CONTINUATIONS")


def test_the_gradio_api_continues_speech(site: Site, tmp_path) -> None:
    from gradio_client import Client, handle_file

    (tmp_path / "me.wav").write_bytes(wav_bytes(voice_like(2)))
    client = Client(site.url, verbose=False, analytics_enabled=False)
    try:
        path, words, info = client.predict(
            recording=handle_file(str(tmp_path / "me.wav")),
            consent=True,
            seconds=1,
            seed=4,
            api_name="/continue_speech",
        )
        assert soundfile.info(path).frames == 3 * RATE
        assert words == info["text"] and info["seed"] == 4
        with pytest.raises(Exception, match="right to use"):
            client.predict(recording=handle_file(str(tmp_path / "me.wav")), api_name="/continue_speech")
    finally:
        client.close()
