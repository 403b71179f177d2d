"""CALM: speech and music from continuous audio latents.

    import calm_core

    tts = calm_core.load("calm-tts-en")
    audio = tts.generate("Hello there.", voice="slt", seed=1)

`list_models` says what there is; `load` makes a `TextToSpeech`, a `SpeechContinuation`, a `MusicContinuation`, a
`ClapToMusic`, an `AudioCodec` or a `Clap`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from calm_core.audio import Audio, read_audio, write_audio
    from calm_core.catalogue import ModelInfo, list_models
    from calm_core.clap import Clap
    from calm_core.errors import InputError
    from calm_core.hub import Progress
    from calm_core.tasks.clap_to_music import ClapToMusic
    from calm_core.tasks.codec import AudioCodec
    from calm_core.tasks.continuation import SoundStream
    from calm_core.tasks.music_continuation import MusicContinuation
    from calm_core.tasks.speech_continuation import ContinuationStream, SpeechContinuation
    from calm_core.tasks.thoughts import Word
    from calm_core.tasks.tts import SpeechStream, TextToSpeech, Utterance
    from calm_core.tasks.voice_shelf import VoiceInfo
    from calm_core.types import ContinuationParams, SamplingParams
    from calm_core.voices import Voice
    from calm_core.weights import pick_device

# Where the public names live; they are imported when first used, so that `import calm_core` is
# quick for those who only want one of them.
_HOMES = {
    "Audio": "calm_core.audio",
    "read_audio": "calm_core.audio",
    "write_audio": "calm_core.audio",
    "Clap": "calm_core.clap",
    "ModelInfo": "calm_core.catalogue",
    "list_models": "calm_core.catalogue",
    "InputError": "calm_core.errors",
    "AudioCodec": "calm_core.tasks.codec",
    "ClapToMusic": "calm_core.tasks.clap_to_music",
    "ContinuationParams": "calm_core.types",
    "ContinuationStream": "calm_core.tasks.speech_continuation",
    "MusicContinuation": "calm_core.tasks.music_continuation",
    "SoundStream": "calm_core.tasks.continuation",
    "SpeechContinuation": "calm_core.tasks.speech_continuation",
    "SpeechStream": "calm_core.tasks.tts",
    "TextToSpeech": "calm_core.tasks.tts",
    "Utterance": "calm_core.tasks.tts",
    "VoiceInfo": "calm_core.tasks.voice_shelf",
    "SamplingParams": "calm_core.types",
    "Voice": "calm_core.voices",
    "Word": "calm_core.tasks.thoughts",
    "pick_device": "calm_core.weights",
}

__all__ = [
    "Audio",
    "AudioCodec",
    "Clap",
    "ClapToMusic",
    "ContinuationParams",
    "ContinuationStream",
    "InputError",
    "ModelInfo",
    "MusicContinuation",
    "SamplingParams",
    "SoundStream",
    "SpeechContinuation",
    "SpeechStream",
    "TextToSpeech",
    "Utterance",
    "Voice",
    "VoiceInfo",
    "Word",
    "list_models",
    "load",
    "pick_device",
    "read_audio",
    "write_audio",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'calm_core' has no attribute '{name}'")
    import importlib

    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


@overload
def load(
    model_id: str,
    task: Literal["tts"] = "tts",
    device: str = "cpu",
    progress: Progress | None = None,
    precision: str = "float32",
) -> TextToSpeech: ...


@overload
def load(
    model_id: str,
    task: Literal["speech_continuation"],
    device: str = "cpu",
    progress: Progress | None = None,
    precision: str = "float32",
) -> SpeechContinuation: ...


@overload
def load(
    model_id: str,
    task: Literal["music_continuation"],
    device: str = "cpu",
    progress: Progress | None = None,
    precision: str = "float32",
) -> MusicContinuation: ...


@overload
def load(
    model_id: str,
    task: Literal["clap_to_music"],
    device: str = "cpu",
    progress: Progress | None = None,
    precision: str = "float32",
) -> ClapToMusic: ...


@overload
def load(
    model_id: str,
    task: Literal["codec"],
    device: str = "cpu",
    progress: Progress | None = None,
    precision: str = "float32",
) -> AudioCodec: ...


@overload
def load(
    model_id: str,
    task: Literal["clap"],
    device: str = "cpu",
    progress: Progress | None = None,
    precision: str = "float32",
) -> Clap: ...


def load(
    model_id: str,
    task: str = "tts",
    device: str = "cpu",
    progress: Progress | None = None,
    precision: str = "float32",
) -> TextToSpeech | SpeechContinuation | MusicContinuation | ClapToMusic | AudioCodec | Clap:
    """Load a model.

    Args:
        model_id: an identifier from `list_models`, a folder, a YAML file, or
            hf://owner/repo/path[@revision]; pocket-tts files are read as they are. A CLAP can also be a repository
            of the Hub that transformers reads, hf://owner/repo.
        task: "tts", "speech_continuation", "music_continuation", "clap_to_music" (the same weights as those that
            continue music, where they were trained with CLAP), "codec" (also out of a model of another task) or "clap".
        device: a torch device, such as "cpu" or "cuda".
        progress: called with (file name, bytes so far, bytes in all or None) during downloads.
        precision: "float32", exact: on the CPU, weights that fit into 16 bits without loss, as released ones do, are
            kept in 16 bits, others in 32. "float16" on the CPU rounds those as well, which halves their memory
            and is twice as fast, with slightly different samples.

    Raises:
        InputError: there is no such model, or its files cannot be had or do not fit.
    """
    from calm_core.catalogue import find
    from calm_core.errors import InputError
    from calm_core.tasks.clap_to_music import ClapToMusic
    from calm_core.tasks.codec import AudioCodec
    from calm_core.tasks.music_continuation import MusicContinuation
    from calm_core.tasks.speech_continuation import SpeechContinuation
    from calm_core.tasks.tts import TextToSpeech

    if task == "clap":
        from calm_core.clap import load_clap

        if precision != "float32":
            raise InputError(f"CLAP computes in float32, not in {precision}; leave the precision out.")
        return load_clap(model_id, device, progress)
    tasks = {
        "tts": TextToSpeech,
        "speech_continuation": SpeechContinuation,
        "music_continuation": MusicContinuation,
        "clap_to_music": ClapToMusic,
        "codec": AudioCodec,
    }
    if task not in tasks:
        raise InputError(f"There is no task '{task}'; choose one of {', '.join((*tasks, 'clap'))}.")
    return tasks[task].load(find(model_id, progress), device, progress, precision)
