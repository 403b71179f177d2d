"""What music is asked for, checked at the door: a piece to go on from, or a description, or both in one sound."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

from app.continuation import PROMPT_SECONDS, recording_of
from app.errors import UserError
from app.settings import Settings
from app.speech import MAX_SEED, VoiceRef, checked_count, checked_number, checked_seed, key_of

CONTINUE, DESCRIBE = "music_continuation", "clap_to_music"
Part = Literal["beginning", "end", "all"]
Guide = Literal["none", "prompt"]
OWN_PIECE = "your piece"
RESULT_PREFIX = "clip:"
NEW_SECONDS = {CONTINUE: 27.0, DESCRIBE: 30.0}  # of new sound by default: a clip of 30 s, as in the paper


@dataclass(frozen=True, kw_only=True)
class MusicRequest(ABC):
    """What both tasks of music have; None leaves a value to the model's own default.

    Attributes:
        seconds: of new sound.
        seed: of the first variant; those after it have the seeds after it.
        count: variants made in one pass, each what its seed makes alone.
        top_k: codes to choose from, for models that draw codes.
        cfg: guidance; 1 is none.
    """

    task: ClassVar[str]
    model: str
    seconds: float
    seed: int
    count: int = 1
    temperature: float | None = None
    steps: int | None = None
    top_k: int | None = None
    cfg: float | None = None

    @property
    def cloned(self) -> bool:
        """Whether a visitor's own sound is part of it."""
        return any(ref is not None and ref.name == OWN_PIECE for ref in self.heard())

    @abstractmethod
    def heard(self) -> tuple[VoiceRef | None, ...]:
        """The sounds that it starts from or shall be like."""

    def alone(self) -> tuple[Self, ...]:
        """A request for each of the variants alone."""
        return tuple(replace(self, seed=self.seed + at, count=1) for at in range(self.count))

    def sampling(self) -> dict[str, Any]:
        """What the engine takes by the same names."""
        names = ("count", "seed", "temperature", "steps", "top_k", "cfg")
        return {name: getattr(self, name) for name in names}

    def parameters(self) -> dict[str, Any]:
        """All parameters as plain values, for metadata and for the key of the cache."""
        own = {name: value for name, value in asdict(self).items() if name not in ("prompt", "reference", "seconds")}
        return {"task": self.task, **own, "asked_seconds": self.seconds}

    def key(self, fingerprint: str) -> str:
        """An identifier that is equal exactly when the same sound would come out.

        Args:
            fingerprint: identifies the weights of the model.
        """
        sounds = [ref and ref.sha256 for ref in self.heard()]
        return key_of({**self.parameters(), "heard": sounds, "fingerprint": fingerprint})


@dataclass(frozen=True, kw_only=True)
class MusicContinuationRequest(MusicRequest):
    """Music to go on from.

    Attributes:
        prompt: the piece.
        prompt_part: which part of it stays at the head of the sound.
        prompt_seconds: how long that part is; ignored where all of it stays.
        guide: "prompt" also tells the model the CLAP embedding of what it hears.
    """

    task: ClassVar[str] = CONTINUE
    prompt: VoiceRef
    prompt_part: Part
    prompt_seconds: float
    guide: Guide = "none"

    def heard(self) -> tuple[VoiceRef | None, ...]:
        """The prompt."""
        return (self.prompt,)

    def parameters(self) -> dict[str, Any]:
        """As for all music, with the name of the prompt."""
        return {**super().parameters(), "prompt": self.prompt.name}


@dataclass(frozen=True, kw_only=True)
class DescribedMusicRequest(MusicRequest):
    """Music of a description, of a sound that it shall be like, or of both.

    Attributes:
        description: in words; empty where a sound says it.
        reference: the sound.
        text_weight: the share of the description where there are both.
    """

    task: ClassVar[str] = DESCRIBE
    description: str
    reference: VoiceRef | None = None
    text_weight: float = 0.5

    def heard(self) -> tuple[VoiceRef | None, ...]:
        """The reference, if there is one."""
        return (self.reference,)

    def parameters(self) -> dict[str, Any]:
        """As for all music, with the name of the reference."""
        return {**super().parameters(), "reference": self.reference.name if self.reference else None}


def music_limits(settings: Settings) -> Mapping[str, tuple[float, float]]:
    """Lowest and highest value of every number that music is asked for with."""
    return {
        "prompt_seconds": (1.0, settings.max_music_prompt_seconds),
        "seconds": (1.0, settings.max_music_seconds),
        "count": (1, settings.max_music_variants),
        "temperature": (0.0, 2.0),
        "steps": (1, settings.max_music_steps),
        "top_k": (1, 2048),
        "cfg": (0.0, 10.0),
        "text_weight": (0.0, 1.0),
    }


def check_music_continuation(
    settings: Settings,
    *,
    model: str,
    prompt: VoiceRef,
    prompt_part: str | None = None,
    prompt_seconds: float | None = None,
    guide: str | None = None,
    **numbers: float | None,
) -> MusicContinuationRequest:
    """Build a request from values of a page or an API call; a missing seed is drawn.

    Args:
        settings: the limits.
        model: an identifier.
        prompt: what to go on from.
        prompt_part: which part of it is kept; its beginning by default.
        prompt_seconds: how long that part is; 3 by default.
        guide: none or prompt.
        numbers: `seconds`, `seed`, `count`, `temperature`, `steps`, `top_k`, `cfg`.

    Raises:
        UserError: one value is outside its limits; the sentence names the value and the limit.
    """
    part: Part | None = next((one for one in get_args(Part) if one == (prompt_part or "beginning")), None)
    if part is None:
        raise UserError("The prompt part must be beginning, end or all.", param="prompt_part")
    guided: Guide | None = next((one for one in get_args(Guide) if one == (guide or "none")), None)
    if guided is None:
        raise UserError("The guide must be none or prompt.", param="guide")
    cfg = numbers.get("cfg")
    if guided == "none" and cfg not in (None, 1):
        raise UserError("Guidance needs something to guide by: set guide to prompt, or cfg to 1.", param="cfg")
    kept = checked_number(music_limits(settings), "prompt_seconds", prompt_seconds)
    return MusicContinuationRequest(
        model=model, prompt=prompt, prompt_part=part, prompt_seconds=kept or PROMPT_SECONDS, guide=guided,
        **_numbers(settings, CONTINUE, model, numbers),
    )  # fmt: skip


def check_described_music(
    settings: Settings,
    *,
    model: str,
    description: str = "",
    reference: VoiceRef | None = None,
    text_weight: float | None = None,
    **numbers: float | None,
) -> DescribedMusicRequest:
    """Build a request from values of a page or an API call; a missing seed is drawn.

    Args:
        settings: the limits.
        model: an identifier.
        description: in words.
        reference: a sound that the music shall be like.
        text_weight: the share of the description where there are both; half by default.
        numbers: as for `check_music_continuation`.

    Raises:
        UserError: there is neither a description nor a reference, or one value is outside its limits.
    """
    described = " ".join((description or "").replace("\0", "").split())
    if not described and reference is None:
        raise UserError(
            "The description is empty: say what the music is to be, or give a reference sound.",
            code="empty_text",
            param="description",
        )
    limit = settings.max_caption_chars
    if len(described) > limit:
        raise UserError(
            f"The description has {len(described):,} characters and the limit is {limit:,}: shorten it.",
            code="text_too_long",
            param="description",
        )
    if described and not any(character.isalnum() for character in described):
        raise UserError(
            "There is no word in the description: name a genre, a mood or an instrument.",
            code="unreadable_text",
            param="description",
        )
    share = checked_number(music_limits(settings), "text_weight", text_weight)
    both = bool(described) and reference is not None
    return DescribedMusicRequest(
        model=model, description=described, reference=reference,
        text_weight=0.5 if share is None or not both else share, **_numbers(settings, DESCRIBE, model, numbers),
    )  # fmt: skip


def _numbers(settings: Settings, task: str, model: str, given: Mapping[str, float | None]) -> dict[str, Any]:
    if not model:
        raise UserError("Choose a model that makes music first.", param="model")
    limits = music_limits(settings)
    unknown = sorted(set(given) - {"seconds", "seed", "count", "temperature", "steps", "top_k", "cfg"})
    assert not unknown, f"no numbers of music: {unknown}"
    count, seed = checked_count(limits, "count", given.get("count")) or 1, checked_seed(given.get("seed"))
    return {
        "seconds": checked_number(limits, "seconds", given.get("seconds"))
        or min(NEW_SECONDS[task], settings.max_music_seconds),
        "seed": min(seed, MAX_SEED + 1 - count) if given.get("seed") is None else seed,
        "count": count,
        "temperature": checked_number(limits, "temperature", given.get("temperature")),
        "steps": checked_count(limits, "steps", given.get("steps")),
        "top_k": checked_count(limits, "top_k", given.get("top_k")),
        "cfg": checked_number(limits, "cfg", given.get("cfg")),
    }


def own_piece(path: str | Path | None, max_mb: float, param: str = "prompt") -> VoiceRef:
    """A visitor's sound; whether it can be used is checked when it is read.

    Raises:
        UserError: there is none, or it is too large.
    """
    if not path:
        raise UserError("Record or upload a sound first, or choose an example.", code="no_audio", param=param)
    if Path(path).stat().st_size > max_mb * 1e6:
        raise UserError(f"The sound is larger than {max_mb:g} MB: use a shorter one.", status=413, param=param)
    return recording_of(Path(path), OWN_PIECE)
