"""Speech continuation as callers see it: prompts, the joint, words, limits."""

from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

import calm_core
from calm_core.audio import Audio
from calm_core.errors import InputError
from calm_core.tasks.prompt import voiced_seconds
from calm_core.tasks.speech_continuation import SpeechContinuation
from calm_core.tasks.thoughts import Thoughts
from tests.calm_core import tiny


def save(folder: Path, head: str) -> Path:
    """A tiny model as a folder."""
    folder.mkdir()
    model = tiny.build_continuation(folder, head)
    save_file({n: t.contiguous() for n, t in model.state_dict().items()}, folder / "model.safetensors")
    config = {**tiny.continuation("tokenizer.json", head), "sampling": {"top_k": 10} if model.discrete else {}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def speakers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SpeechContinuation]:
    root = tmp_path_factory.mktemp("continuation")
    return {
        head: calm_core.load(str(save(root / head, head)), task="speech_continuation")
        for head in ("lsd", "rq_transformer")
    }


def prompt(seconds: float = 2.0) -> Audio:
    return Audio(tiny.recording(seconds), 24_000)


@pytest.mark.parametrize("head", ["lsd", "rq_transformer"])
def test_the_prompt_stays_at_the_head_and_the_rest_follows(
    speakers: dict[str, SpeechContinuation], head: str
) -> None:  # fmt: skip
    speaker = speakers[head]
    made = speaker.generate(prompt(), 1.6, seed=3)
    whole = 25 * 1920
    kept = whole - 120  # the last 5 ms are a crossfade
    assert torch.equal(made.samples[:kept], prompt().samples[-whole:][:kept])
    assert made.samples.shape[0] == whole + 38_400
    assert made.samples[whole:].abs().max() > 0
    step = (made.samples[whole - 125 : whole + 5].diff()).abs().max()
    assert step < 0.2
    assert made.meta["seed"] == 3 and made.meta["seconds"] == pytest.approx(made.seconds, abs=0.01)


@pytest.mark.parametrize("head", ["lsd", "rq_transformer"])
def test_chunks_are_the_whole_and_a_seed_repeats(speakers: dict[str, SpeechContinuation], head: str) -> None:
    first = speakers[head].generate(prompt(), 1.0, seed=5)
    with speakers[head].stream(prompt(), 1.0, seed=5) as stream:
        chunks = list(stream)
    assert len(chunks) > 3
    assert torch.equal(torch.cat(chunks), first.samples)
    assert [vars(word) for word in stream.words] == first.meta["words"]
    assert not torch.equal(first.samples, speakers[head].generate(prompt(), 1.0, seed=6).samples)


def test_a_quiet_prompt_is_continued_as_quietly(speakers: dict[str, SpeechContinuation]) -> None:
    loud = speakers["lsd"].generate(prompt(), 1.0, seed=5).samples[48_000:]
    quiet = speakers["lsd"].generate(Audio(prompt().samples * 0.125, 24_000), 1.0, seed=5).samples[48_000:]
    torch.testing.assert_close(quiet * 8, loud, atol=1e-3, rtol=1e-2)


def test_without_a_prompt_it_starts_from_nothing(speakers: dict[str, SpeechContinuation]) -> None:
    made = speakers["lsd"].generate(None, 0.8, seed=1)
    assert made.samples.shape[0] == 19_200


def test_a_stop_ends_the_sound_early(speakers: dict[str, SpeechContinuation]) -> None:
    stream = speakers["lsd"].stream(prompt(), 60.0, seed=1)
    first = [next(stream) for _ in range(4)]
    stream.close()
    assert len(first) == 4 and list(stream) == []


@pytest.mark.parametrize(
    ("sound", "says"),
    [
        (tiny.recording(0.5), "at least 1 s"),
        (tiny.recording(61.0), "may last 60 s"),
        (torch.zeros(72_000), "No speech"),
        (torch.randn(72_000, generator=torch.Generator().manual_seed(0)) * 0.1, "No speech"),
        (torch.sin(torch.arange(72_000) * 0.05) * 0.3, "No speech"),
        (torch.cat([tiny.recording(2.0), torch.zeros(24_000 * 7)]), "until the end"),
        (torch.full((48_000,), float("nan")), "not numbers"),
    ],
)
def test_prompts_that_cannot_be_continued_say_why(
    speakers: dict[str, SpeechContinuation], sound: torch.Tensor, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        speakers["lsd"].stream(Audio(sound, 24_000))


@pytest.mark.parametrize(
    ("head", "values", "says"),
    [
        ("lsd", {"seconds": 0.0}, "seconds is 0"),
        ("lsd", {"seconds": 10_000}, "between 0.1 and 120"),
        ("lsd", {"temperature": -1.0}, "temperature is -1"),
        ("lsd", {"steps": 1.5}, "whole number"),
        ("lsd", {"top_k": 5}, "no codes"),
        ("rq_transformer", {"steps": 4}, "take one step"),
        ("rq_transformer", {"seed": -1}, "seed"),
    ],
)
def test_values_outside_the_limits_say_which(
    speakers: dict[str, SpeechContinuation], head: str, values: dict[str, float], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        speakers[head].stream(prompt(), **{"seconds": 1.0, **values})  # type: ignore[arg-type]


def test_the_codec_of_a_continuation_model_is_loaded_alone(tmp_path: Path) -> None:
    coder = calm_core.load(str(save(tmp_path / "model", "rq_transformer")), task="codec")
    assert coder.reconstruct(prompt()).samples.shape[0] == 48_000


def test_models_of_other_tasks_are_refused() -> None:
    with pytest.raises(InputError, match="speech_continuation"):
        calm_core.load("calm-codec-speech", task="speech_continuation")


def test_tones_and_noise_have_no_voice() -> None:
    assert voiced_seconds(torch.zeros(24_000), 24_000) == 0
    assert voiced_seconds(tiny.recording(2.0), 24_000) > 0.5


class Spelling:
    """A tokenizer whose pieces are known: 0 begins "no", 1 goes on "body", 2 is "knew"."""

    def encode(self, text: str) -> list[int]:
        raise NotImplementedError

    def decode(self, tokens: list[int]) -> str:
        return "".join((" no", "body", " knew")[t] for t in tokens).strip()


def test_words_are_put_together_with_their_times(speakers: dict[str, SpeechContinuation]) -> None:
    stream = speakers["lsd"].model.text
    assert stream is not None
    tokenizer, stream.tokenizer = stream.tokenizer, Spelling()
    try:
        thoughts = Thoughts(stream, 3.0, 0.08)
        heard = []
        for token in (stream.pad, 0, 1, 2, stream.pad, stream.epad, 2):
            thoughts.add(token)
            heard.append(thoughts.text())
        assert heard == ["", "no", "nobody", "nobody knew", "nobody knew", "nobody knew", "nobody knew knew"]
        assert [word.seconds for word in thoughts.words()] == [3.08, 3.24, 3.48]
    finally:
        stream.tokenizer = tokenizer
