"""Music of a description, of a sound that it is to be like, or of both, through CLAP (CALM section 5.4)."""

from __future__ import annotations

import threading
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from calm_core.audio import Audio
from calm_core.audio_lm import AudioLM
from calm_core.catalogue import Found, ModelInfo
from calm_core.conditioners import ClapEmbedder
from calm_core.conditioners.clap import mix
from calm_core.conditioners.text_map import TextMap
from calm_core.errors import InputError
from calm_core.hub import Progress
from calm_core.tasks.continuation import SoundStream
from calm_core.tasks.limits import check
from calm_core.tasks.loading import load_clap, load_continuation, load_text_map
from calm_core.tasks.mono import mono
from calm_core.tasks.music import MusicTask, expect_width, one_row
from calm_core.tasks.prompt import check_heard, clipping, spoken

MAX_CHARACTERS = 1000


class ClapToMusic(MusicTask):
    """A loaded model that makes music of descriptions; see `ContinuationTask`.

    Args:
        info: its line in the list of models.
        model: with its weights and a CLAP prefix.
        clap: the CLAP model that it was trained with.
        text_map: brings texts to where `clap` puts sounds; None hands them over as they are.

    Raises:
        InputError: the embeddings of `clap` have another width.
    """

    task: ClassVar[str] = "clap_to_music"

    def __init__(self, info: ModelInfo, model: AudioLM, clap: ClapEmbedder, text_map: TextMap | None = None):
        super().__init__(info, model)
        assert model.config.clap is not None
        expect_width(clap, model.config.clap.width, info.id)
        self.clap, self.text_map = clap, text_map

    @classmethod
    def load(
        cls, found: Found, device: str = "cpu", progress: Progress | None = None, precision: str = "float32"
    ) -> Self:
        """Load the weights of a found model and those of its CLAP model.

        Raises:
            InputError: see `loading.load_continuation`, `load_clap` and `load_text_map` there.
        """
        model = load_continuation(found, cls.task, device, progress, precision)
        return cls(found.info, model, load_clap(found, device, progress), load_text_map(found, progress))

    def stream(
        self,
        description: str | None,
        seconds: float = 30.0,
        *,
        audio_prompt: Audio | None = None,
        text_weight: float = 0.5,
        seed: int | None = None,
        temperature: float | None = None,
        steps: int | None = None,
        top_k: int | None = None,
        cfg: float | None = None,
        stop: threading.Event | None = None,
    ) -> SoundStream:
        """Make music, and hand out the sound while it is made.

        Args:
            description: what it is to be, in words; None where a sound says it.
            seconds: of sound.
            audio_prompt: any sound of 1 to 60 s that the music is to be like; it is not continued.
            text_weight: share of the description where there are both.
            seed: 0 or more; the same seed gives the same sound on the same machine. None draws one.
            temperature: lower is steadier, higher more varied.
            steps: evaluations of the sampler head for each frame.
            top_k: codes to choose from, for models that draw codes.
            cfg: guidance; 1 is none, more follows the description more closely. By default `sampling.text_cfg` of the
                model where there is a description, else `sampling.cfg`.
            stop: set it to end early.

        Raises:
            InputError: there is neither a description nor a sound, or they or a value cannot be used.
        """
        chunks, meta, halt = self._start(
            description, seconds, 1, audio_prompt=audio_prompt, text_weight=text_weight, seed=seed,
            temperature=temperature, steps=steps, top_k=top_k, cfg=cfg, stop=stop,
        )  # fmt: skip
        return SoundStream(one_row(chunks), meta, halt)

    def generate(self, description: str | None, seconds: float = 30.0, **options: Any) -> Audio:
        """The whole sound; arguments and errors as for `stream`."""
        with self.stream(description, seconds, **options) as stream:
            samples = torch.cat(list(stream))
        return Audio(samples, self.sample_rate, stream.meta)

    def stream_variants(
        self, description: str | None, seconds: float = 30.0, *, count: int = 4, **options: Any
    ) -> SoundStream:
        """Several pieces at once, as chunks [count, N]; they have the seeds `seed`, `seed` + 1, ..., as if made alone.

        Args:
            description: as for `stream`, like `seconds` and all options.
            seconds: of sound.
            count: of pieces.
            options: see `stream`.

        Raises:
            InputError: as for `stream`, or the count is not from 1 to 6.
        """
        return SoundStream(*self._start(description, seconds, count, **options))

    def generate_variants(self, description: str | None, seconds: float = 30.0, **options: Any) -> list[Audio]:
        """What `stream_variants` makes, whole."""
        return self.collected(self.stream_variants(description, seconds, **options))

    @torch.inference_mode()
    def embedding(self, description: str | None, audio_prompt: Audio | None = None, text_weight: float = 0.5) -> Tensor:
        """The embedding [1, E] of a description, a sound, or both (their mean, brought back to length 1).

        Raises:
            InputError: there is neither, or one cannot be used.
        """
        check({"text_weight": (0.0, 1.0)}, {"text_weight": text_weight})
        parts = []
        if description is not None:
            text = self.clap.embed_text([checked_description(description)])
            parts.append(text if self.text_map is None else self.text_map(text))
        if audio_prompt is not None:
            samples = mono(audio_prompt, self.sample_rate)
            check_heard(samples, self.sample_rate, "reference sound")
            parts.append(self.clap.embed_audio(Audio(samples, self.sample_rate)))
        if not parts:
            raise InputError("There is nothing to make music of; give a description, a reference sound, or both.")
        both = parts[0] if len(parts) == 1 else mix(*parts, weight=text_weight)
        return both.float().to(self.model.latent_mean.device)

    def _start(
        self,
        description: str | None,
        seconds: float,
        count: int,
        *,
        audio_prompt: Audio | None = None,
        text_weight: float = 0.5,
        seed: int | None = None,
        temperature: float | None = None,
        steps: int | None = None,
        top_k: int | None = None,
        cfg: float | None = None,
        stop: threading.Event | None = None,
    ) -> tuple[Any, dict[str, Any], threading.Event]:
        """See `stream` and `MusicTask.music`."""
        if cfg is None and description is not None:
            cfg = self.model.config.sampling.described_cfg
        asked = {"temperature": temperature, "steps": steps, "top_k": top_k, "cfg": cfg}
        self.checked(seconds, asked)  # before anything is embedded
        embedding = self.embedding(description, audio_prompt, text_weight)
        facts: dict[str, Any] = {"text": description or ""}
        notices: tuple[str, ...] = () if description is None else tuple(self.clap.notices([description.strip()]))
        if audio_prompt is not None:
            facts |= {"reference_seconds": round(audio_prompt.seconds, 4)}
            facts |= {} if description is None else {"text_weight": text_weight}
            notices += clipping(audio_prompt, "reference sound") + spoken(audio_prompt, "reference sound")
        return self.music(
            self.nothing(), seconds, asked, count=count, seed=seed, stop=stop, clap=embedding, facts=facts,
            notices=notices,
        )  # fmt: skip


def checked_description(text: str) -> str:
    """A description without space around it.

    Raises:
        InputError: it is empty or too long.
    """
    stripped = text.strip()
    if not stripped:
        raise InputError("The description is empty; say what the music is to be, or give a reference sound.")
    if len(stripped) > MAX_CHARACTERS:
        raise InputError(
            f"The description has {len(stripped):,} characters and may have {MAX_CHARACTERS:,}; shorten it."
        )
    return stripped
