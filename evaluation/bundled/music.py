"""Models of music by the engine's public interface: prompts, captions and sounds in, clips out."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evaluation.bundled.engine import to_audio, user_errors
from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError

_SPACING = 1000  # seeds of one prompt; those of the next begin so much later
_AT_ONCE = 6  # variants that the engine makes in one pass


@dataclass(frozen=True)
class Timing:
    """What one continuation cost.

    Attributes:
        seconds: Of computing, by the clock.
        real_time_factor: Seconds of sound for a second of computing.
        sampler_share: Of the computing, decoding included, in the head.
    """

    seconds: float
    real_time_factor: float
    sampler_share: float


@contextmanager
def openable(model: str, like: str | None = None, changes: Mapping[str, Any] | None = None) -> Iterator[str]:
    """What `calm_core.load` can open: a packaged model as it is, a finished run behind a configuration made for it.

    Args:
        model: An id, an address, or a folder, packaged or of a run.
        like: The folder of a packaged model whose sizes the run has; whether there is a short context, its weights say.
        changes: To the configuration's parts, by part and key.

    Raises:
        InputError: A run, and no packaged model to take the sizes from.
    """
    folder = Path(model)
    weights = folder / "model.safetensors"
    if not weights.is_file() or (folder / "config.yaml").is_file():
        yield model
        return
    base = Path(like) if like else None
    if base is None or not (base / "config.yaml").is_file():
        raise InputError(f"{model} is a run without config.yaml; make a model of it first: calm package RECIPE.yaml")
    from safetensors import safe_open

    config = yaml.safe_load((base / "config.yaml").read_text(encoding="utf-8"))
    config |= {"weights_path": str(weights.resolve()), "codec_weights_path": None, "base_weights_path": None}
    with safe_open(weights, "numpy") as file:
        names = list(file.keys())
    if not any(name.startswith("short.") for name in names):
        config["short_context"] = None
    if not any(name.startswith("codec.") for name in names):
        raise InputError(f"{weights} holds no codec, so it is not of a run; make a model of the run: calm package")
    clap = config.get("clap") or {}
    if clap.get("model") and (base / clap["model"]).exists():
        clap["model"] = str((base / clap["model"]).resolve())
    for part, values in (changes or {}).items():
        if config.get(part):
            config[part] |= values
    with tempfile.TemporaryDirectory() as made:
        (Path(made) / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        yield made


def _runs(seeds: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Seeds in runs of neighbours, as the first and how many, that fit into one pass."""
    left = sorted(set(seeds))
    while left:
        count = 1
        while count < min(len(left), _AT_ONCE) and left[count] == left[0] + count:
            count += 1
        yield left[0], count
        left = left[count:]


class Music:
    """A loaded model of music.

    Args:
        model: See `openable`, like the other two.
        task: `music_continuation` or `clap_to_music`.
        like: See `openable`.
        changes: See `openable`.
        device: Torch device.

    Raises:
        InputError: There is no such model, or it is for another task.
    """

    def __init__(
        self, model: str, task: str = "music_continuation", like: str | None = None,
        changes: Mapping[str, Any] | None = None, device: str = "cpu",
    ) -> None:  # fmt: skip
        import calm_core

        load: Any = calm_core.load
        with user_errors(), openable(model, like, changes) as there:
            self._task = load(there, task=task, device=device)

    @property
    def discrete(self) -> bool:
        """Whether it draws codes, which take one step."""
        return self._task.discrete

    def go_on(
        self, number: int, prompt: Clip, seconds: float, seeds: Sequence[int], steps: int | None = None
    ) -> dict[int, Clip]:
        """What follows a prompt, without it, by seed.

        Args:
            number: Of the prompt; each has draws of its own.
            prompt: A whole number of frames.
            seconds: Of new sound.
            seeds: Of generation, 0 to 999.
            steps: Evaluations of the head for each frame; None leaves them to the model.
        """
        with user_errors():
            heard = self._task.prompt(to_audio(prompt))
        return self._made(number, prompt.item, seeds, heard, seconds, steps=steps)

    def compose(
        self, number: int, item: str, description: str | None, like: Clip | None, seconds: float, seeds: Sequence[int],
        steps: int | None = None, cfg: float | None = None,
    ) -> dict[int, Clip]:  # fmt: skip
        """Music of a description or of a sound, by seed.

        Args:
            number: As for `go_on`, like the others.
            item: Names the clips.
            description: A caption, or None.
            like: A sound that it is to be like, or None.
            seconds: Of sound.
            seeds: Of generation.
            steps: Of the head.
            cfg: Weight of guidance; None leaves it to the model, like the steps.
        """
        options = {} if like is None else {"audio_prompt": to_audio(like)}
        return self._made(number, item, seeds, description, seconds, steps=steps, cfg=cfg, **options)

    def time(self, prompt: Clip, seconds: float, steps: int | None, seed: int = 0) -> Timing:
        """One continuation, alone, from the first frame to the last sample."""
        with user_errors():
            meta = self._task.generate(self._task.prompt(to_audio(prompt)), seconds, seed=seed, steps=steps).meta
        return Timing(seconds / meta["real_time_factor"], meta["real_time_factor"], meta["sampler_share"])

    def _made(self, number: int, item: str, seeds: Sequence[int], given: Any, seconds: float, **options: Any) -> dict:
        made: dict[int, Clip] = {}
        for first, count in _runs(seeds):
            with user_errors():
                clips = self._task.generate_variants(
                    given, seconds, count=count, seed=number * _SPACING + first, **options
                )
            for seed, audio in enumerate(clips, start=first):
                begin = round(audio.meta["prompt_seconds"] * audio.sample_rate)
                made[seed] = make_clip(item, audio.samples[begin:].numpy(), audio.sample_rate)
        return made
