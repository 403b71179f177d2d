"""What a visitor asks for: a text and a voice, a sound that both systems go on from, or a description of music."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.arena.records import Item
from app.arena.systems import Arena
from app.arena.tasks import CONTINUE_MUSIC, DESCRIBE, GO_ON, KEYS, SPEAK, GoingOn, Task
from app.continuation import ExamplePrompts, recording_of
from app.errors import UserError
from app.speech import check_text
from app.uploads import decoded
from app.voices import STATEMENT

Draw = Callable[[Sequence[str]], str]
Consent = Callable[[str, str], None]  # called with the SHA-256 of a recording and the statement
FIELDS: dict[Task, set[str]] = {
    SPEAK: {"task", "text", "prompt", "voice"},
    GO_ON: {"task", "prompt", "audio", "consent"},
    CONTINUE_MUSIC: {"task", "prompt"},
    DESCRIBE: {"task", "text", "prompt"},
}
OFFERED: dict[Task, str] = {
    SPEAK: "text or prompt, and voice", GO_ON: "prompt, or audio and consent", CONTINUE_MUSIC: "prompt",
    DESCRIBE: "text or prompt",
}  # fmt: skip
MAX_UPLOAD_MB = 1.0


@dataclass(frozen=True)
class Wish:
    """A checked wish; `voice` None lets one be drawn, and so do `prompt` and `audio` of what goes on from a sound."""

    task: Task
    text: str = ""
    prompt: str | None = None
    voice: str | None = None
    audio: str | None = None

    def is_for(self, item: Item) -> bool:
        """Whether an item that is being made fulfils it."""
        if self.task != item.task:
            return False
        if self.task == SPEAK:
            return item.text == self.text and self.voice in (None, item.voice)
        if self.task == DESCRIBE:
            return item.text == self.text
        return self.audio is None and self.prompt in (None, item.voice)


class Wishes:
    """Reads wishes and makes items of them.

    Args:
        arena: its prompts, voices and rules.
        examples: the bundled sounds by task.
        folder: where recordings of visitors lie while the two systems go on from them.
        max_chars: longest text.
    """

    def __init__(self, arena: Arena, examples: dict[Task, ExamplePrompts], folder: Path, max_chars: int):
        self._arena = arena
        self._examples = examples
        self._folder = folder
        self._max_chars = max_chars

    def prompts(self, task: Task) -> dict[str, str]:
        """Names and titles of the sounds that systems of a task go on from."""
        rules = self._arena.rules(task)
        chosen = rules.prompts if isinstance(rules, GoingOn) else None
        return {one.name: one.title for one in self._examples[task].all() if chosen is None or one.name in chosen}

    def describe(self) -> dict[str, Any]:
        """What the page needs to ask for each task beside speaking; None where no system has it."""
        arena = self._arena
        found: dict[str, Any] = {KEYS[task]: None for task in KEYS}
        for task in (GO_ON, CONTINUE_MUSIC):
            rules = arena.rules(task)
            if isinstance(rules, GoingOn) and task in arena.tasks():
                found[KEYS[task]] = {
                    "prompts": [{"name": name, "title": title} for name, title in self.prompts(task).items()],
                    "systems": len(arena.names(task)),
                    "prompt_seconds": rules.prompt_seconds,
                    "uploads": getattr(rules, "uploads", False),
                    "statement": STATEMENT,
                }
        if arena.described and DESCRIBE in arena.tasks():
            listed = [{"name": one.name, "text": one.text} for one in arena.described.prompts]
            found[KEYS[DESCRIBE]] = {"prompts": listed, "systems": len(arena.names(DESCRIBE))}
        return found

    def read(self, body: Any) -> Wish:
        """A wish from JSON.

        Raises:
            UserError: it cannot be fulfilled; the sentence says what to send.
        """
        if not isinstance(body, dict):
            raise UserError("The body must be a JSON object.")
        task = body.get("task", SPEAK)
        if task not in self._arena.tasks():
            raise UserError(f"The task must be one of {', '.join(self._arena.tasks())} in this arena.", param="task")
        unknown = sorted(set(body) - FIELDS[task])
        if unknown:
            raise UserError(f"There is no field '{unknown[0][:40]}' here; send {OFFERED[task]}.", param="body")
        for key in ("text", "prompt", "voice", "audio"):
            if body.get(key) is not None and not isinstance(body[key], str):
                raise UserError(f"The field '{key}' must be text.", param=key)
        return self._written(task, body) if task in (SPEAK, DESCRIBE) else self._going_on(task, body)

    def _written(self, task: Task, body: dict[str, Any]) -> Wish:
        text, name, voice = body.get("text"), body.get("prompt"), body.get("voice")
        if voice is not None and voice not in self._arena.voices:
            raise UserError(
                f"There is no voice '{voice[:60]}' in the arena; it has {', '.join(self._arena.voices)}.", param="voice"
            )
        if (text is None) == (name is None):
            raise UserError("Send either a text or the name of a prompt.", param="text")
        prompts = self._arena.prompts
        if task == DESCRIBE:
            assert self._arena.described is not None, "systems that have this task need its rules"
            prompts = self._arena.described.prompts
        if name is not None:
            prompt = next((one for one in prompts if one.name == name), None)
            if prompt is None:
                raise UserError(f"There is no prompt '{name[:60]}' in the arena.", status=404, param="prompt")
            return Wish(task, prompt.text, prompt.name, voice)
        assert text is not None
        written = " ".join(text.replace("\0", "").split())
        check_text(written, self._max_chars)
        listed = next((one.name for one in prompts if one.text == written), None)
        return Wish(task, written, listed, voice)

    def _going_on(self, task: Task, body: dict[str, Any]) -> Wish:
        name, audio = body.get("prompt"), body.get("audio")
        if name is not None and audio is not None:
            raise UserError("Send either a recording or the name of a prompt.", param="prompt")
        if name is not None and name not in self.prompts(task):
            raise UserError(f"There is no prompt '{name[:60]}' in the arena.", status=404, param="prompt")
        own = self._arena.continuation
        if audio is not None:
            if own is None or not own.uploads:
                raise UserError("This arena takes no recordings; choose one of its prompts.", status=403, param="audio")
            if body.get("consent") is not True:
                raise UserError(
                    "Say that you have the right to use this voice; without that no recording is taken.",
                    status=403,
                    code="consent_needed",
                    param="consent",
                )
        return Wish(task, prompt=name, audio=audio)

    def item(self, wish: Wish, draw: Draw, consented: Consent) -> Item:
        """The item of a wish; what is left open is drawn, and the consent for a recording is written down.

        Raises:
            UserError: the recording is no base64 or too large.
        """
        if wish.task == SPEAK:
            return Item.of(wish.text, wish.voice or draw(list(self._arena.voices)), wish.prompt)
        if wish.task == DESCRIBE:
            return Item.described(wish.text, wish.prompt)
        rules = self._arena.rules(wish.task)
        assert isinstance(rules, GoingOn), "systems that have this task need its rules"
        seconds = rules.prompt_seconds
        if wish.audio is None:
            name = wish.prompt or draw(list(self.prompts(wish.task)))
            return Item.after(self._examples[wish.task].get(name), self.prompts(wish.task)[name], seconds, wish.task)
        sent = decoded(wish.audio, MAX_UPLOAD_MB)
        try:
            data = sent.read_bytes()
        finally:
            sent.unlink()
        digest = hashlib.sha256(data).hexdigest()
        consented(digest, STATEMENT)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{digest}-{secrets.token_hex(4)}"  # two visitors may send the same
        path.write_bytes(data)
        return Item.after(recording_of(path), "", seconds)

    def forget(self, item: Item) -> None:
        """Remove a visitor's own file; the two recordings that begin with it stay."""
        if item.recording is not None and item.recording.path is not None:
            path = item.recording.path
            if path.parent == self._folder:
                path.unlink(missing_ok=True)
