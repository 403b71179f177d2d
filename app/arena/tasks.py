"""What systems of the arena do, and the rules of each task beside those of speaking a text."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app import music
from app.continuation import PROMPT_SECONDS
from app.studies.schema import Line, Name, Strict

Task = Literal["tts", "speech_continuation", "music_continuation", "clap_to_music"]
SPEAK: Task = "tts"
GO_ON: Task = "speech_continuation"
CONTINUE_MUSIC: Task = music.CONTINUE
DESCRIBE: Task = music.DESCRIBE
TASKS: tuple[Task, ...] = (SPEAK, GO_ON, CONTINUE_MUSIC, DESCRIBE)
# by which votes on the tasks are told apart; the second and third are also what bundled studies ask for
ATTRIBUTES: dict[Task, str] = {
    SPEAK: "overall",
    GO_ON: "meaningfulness",
    CONTINUE_MUSIC: "enjoyment",
    DESCRIBE: "enjoyment-text-to-music",
}
# the key of the document that has the rules of a task
KEYS: dict[Task, str] = {GO_ON: "continuation", CONTINUE_MUSIC: "music", DESCRIBE: "described"}
# settings of systems that mean nothing for a task
STRANGE: dict[Task, tuple[str, ...]] = {
    SPEAK: ("text_temperature", "top_k"),
    GO_ON: ("cfg", "voices"),
    CONTINUE_MUSIC: ("cfg", "text_temperature", "voices"),
    DESCRIBE: ("text_temperature", "voices"),
}
MUSIC_RATE = 32_000


class Prompt(Strict):
    """A text to pick."""

    name: Name
    text: Line


class GoingOn(Strict):
    """How systems that go on from a bundled sound meet."""

    question: Line
    prompts: list[Name] | None = Field(None, min_length=1, description="bundled sounds; all of them when absent")
    prompt_seconds: float = Field(PROMPT_SECONDS, ge=1, le=10, description="what both clips begin with")
    seconds: float = Field(12.0, ge=2, le=60, description="of new sound")
    minimum_seconds: float = Field(6.0, ge=0, le=60, description="of each clip, before a vote")


class Continuation(GoingOn):
    """How systems that go on from a recording of speech meet."""

    question: Line = "Both clips begin alike. Which one goes on as a person would, naturally and making sense?"
    uploads: bool = Field(False, description="whether visitors may send the beginning themselves; it is kept")


class MusicContinuation(GoingOn):
    """How systems that go on from a piece meet."""

    question: Line = "Both clips begin with the same music. Which one do you enjoy more?"


class DescribedMusic(Strict):
    """How systems that make music of a description meet."""

    question: Line = "Both were made of the same description. Which one do you enjoy more?"
    prompts: Annotated[list[Prompt], Field(min_length=1, max_length=500, description="descriptions to pick")]
    seconds: float = Field(12.0, ge=2, le=60, description="of music")
    minimum_seconds: float = Field(6.0, ge=0, le=60, description="of each clip, before a vote")


Rules = Continuation | MusicContinuation | DescribedMusic
