"""From a found model to modules with weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from calm_core.audio_lm import AudioLM
from calm_core.catalogue import Found, clap_address, expect_tts
from calm_core.codecs import Codec, build_codec
from calm_core.conditioners import ClapEmbedder
from calm_core.conditioners.text import PrefixText
from calm_core.conditioners.text_map import TextMap
from calm_core.conditioners.tokenizer import load_tokenizer
from calm_core.config import ClapModelConfig, CodecModelConfig, ContinuationModelConfig
from calm_core.errors import InputError
from calm_core.hub import Progress, fetch, fetch_weights
from calm_core.model import CALM
from calm_core.nn.packed import available, own_memory
from calm_core.weights import Tensors, load_into, pick_device, read_tensors, to_ours

WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class LoadedTTS:
    """A text-to-speech model with its weights; `notice` says in a sentence which ones they are."""

    model: CALM
    cloning: bool
    notice: str


def load_tts(
    found: Found, device: str = "cpu", progress: Progress | None = None, precision: str = "float32"
) -> LoadedTTS:
    """Load a text-to-speech model; `precision` as for `calm_core.load`.

    Raises:
        InputError: see `hub.fetch_weights`, `weights.read_tensors` and `weights.load_into`.
    """
    config = expect_tts(found)
    where = pick_device(device)
    if config.weights_path is None and not (found.base / WEIGHTS_FILE).is_file():
        raise InputError(f"The configuration of '{found.info.id}' names no weights; set weights_path.")
    fetched = fetch_weights(
        config.weights_path or WEIGHTS_FILE,
        config.weights_path_without_voice_cloning,
        progress,
        found.base,
    )
    tensors = to_ours(read_tensors(fetched.path))
    if config.codec_weights_path is not None:
        path = fetch(config.codec_weights_path, progress, found.base)
        tensors = {n: t for n, t in tensors.items() if not n.startswith("codec.")}
        tensors |= _as_codec(to_ours(read_tensors(path)))
    tokenizer = None
    if config.text.kind == "prefix":
        path = fetch(config.text.tokenizer_path, progress, found.base)
        tokenizer = load_tokenizer(path, config.text.tokenizer, config.text.n_bins)
    model = load_into(lambda: CALM(config), tensors, fetched.path.name, where)
    assert isinstance(model, CALM)
    if isinstance(model.text, PrefixText):
        model.text.tokenizer = tokenizer
    _optimise(model, where, precision)
    return LoadedTTS(model, fetched.cloning, fetched.notice)


def load_continuation(
    found: Found, task: str, device: str = "cpu", progress: Progress | None = None, precision: str = "float32"
) -> AudioLM:
    """Load a model that continues sound for one of its tasks; `precision` as for `calm_core.load`.

    Raises:
        InputError: the model is for another task; otherwise as for `load_tts`.
    """
    config = found.config
    if not isinstance(config, ContinuationModelConfig) or task not in found.info.tasks:
        if task == "clap_to_music" and found.info.task == "music_continuation":
            raise InputError(
                f"'{found.info.id}' was trained without CLAP and reads no descriptions; choose a model whose tasks "
                "include clap_to_music, or give this one music to go on from."
            )
        raise InputError(f"The task of '{found.info.id}' is {found.info.task}; choose a model whose task is {task}.")
    where = pick_device(device)
    path = fetch(config.weights_path or WEIGHTS_FILE, progress, found.base)
    tensors = read_tensors(path)
    if config.base_weights_path is not None:
        tensors = read_tensors(fetch(config.base_weights_path, progress, found.base)) | tensors
    tensors = to_ours(tensors)
    if config.codec_weights_path is not None:
        codec = fetch(config.codec_weights_path, progress, found.base)
        tensors = {n: t for n, t in tensors.items() if not n.startswith("codec.")}
        tensors |= _as_codec(to_ours(read_tensors(codec)))
    model = load_into(lambda: AudioLM(config), tensors, path.name, where)
    assert isinstance(model, AudioLM)
    if model.text is not None and config.text is not None:
        file = fetch(config.text.tokenizer_path, progress, found.base)
        model.text.tokenizer = load_tokenizer(file, config.text.tokenizer, config.text.n_bins)
    _optimise(model, where, precision)
    return model


def load_clap(found: Found, device: str = "cpu", progress: Progress | None = None) -> ClapEmbedder:
    """Load the CLAP model that a music model was trained with.

    Raises:
        InputError: its configuration names none, or there is none.
    """
    import calm_core

    address = clap_address(found)
    if address is None:
        raise InputError(f"The configuration of '{found.info.id}' names no CLAP model; set clap.model.")
    return calm_core.load(address, "clap", device, progress)


def load_text_map(found: Found, progress: Progress | None = None) -> TextMap | None:
    """Read the map of texts that a music model names; None without one.

    Raises:
        InputError: there is no such file, or it holds something else or is of another width.
    """
    config = found.config
    if not isinstance(config, ContinuationModelConfig) or config.clap is None or config.clap.text_map_path is None:
        return None
    path = fetch(config.clap.text_map_path, progress, found.base)
    text_map = TextMap.of(read_tensors(path), path.name)
    if text_map.width != config.clap.width:
        raise InputError(
            f"The map of texts of '{found.info.id}' is {text_map.width} wide and its clap.width is "
            f"{config.clap.width}; set clap.text_map_path to one that was fitted with its CLAP model."
        )
    return text_map


def load_codec(
    found: Found, device: str = "cpu", progress: Progress | None = None, precision: str = "float32"
) -> Codec:
    """Load a codec on its own, or the codec of a model of another task; `precision` as above.

    Raises:
        InputError: as for `load_tts`.
    """
    config = found.config
    if isinstance(config, ClapModelConfig):
        raise InputError(f"'{found.info.id}' is a CLAP and has no codec; choose a model whose task is codec.")
    where = pick_device(device)
    weights = config.weights_path or WEIGHTS_FILE
    if isinstance(config, CodecModelConfig):
        path = fetch(weights, progress, found.base)
    elif config.codec_weights_path is not None:
        path = fetch(config.codec_weights_path, progress, found.base)
    elif isinstance(config, ContinuationModelConfig):
        path = fetch(weights, progress, found.base)
    else:
        path = fetch_weights(weights, config.weights_path_without_voice_cloning, progress, found.base).path
    tensors = _as_codec(to_ours(read_tensors(path)))
    bare = {n.removeprefix("codec."): t for n, t in tensors.items()}
    codec = load_into(lambda: build_codec(config.codec), bare, path.name, where)
    assert isinstance(codec, Codec)
    _optimise(codec, where, precision)
    return codec


def _optimise(module: CALM | AudioLM | Codec, device: torch.device, precision: str) -> None:
    """Make the weights fast on this device.

    Raises:
        InputError: there is no such precision, or not on this device.
    """
    if precision not in ("float32", "float16"):
        raise InputError(f"There is no precision '{precision}'; choose float32 or float16.")
    if device.type == "cpu" and available():
        module.optimise(rounded=precision == "float16")
        own_memory(module)
    elif precision != "float32":
        raise InputError(f"The precision {precision} is for the CPU only; leave it at float32 on '{device}'.")


def _as_codec(tensors: Tensors) -> Tensors:
    """The codec's tensors of a file, which may hold a codec alone or a whole model."""
    named = {n: t for n, t in tensors.items() if n.startswith("codec.")}
    return named or {f"codec.{n}": t for n, t in tensors.items()}


def bundled_voices_folder() -> Path:
    """Where the recordings of the bundled preset voices are."""
    from calm_core.catalogue import PACKAGE

    return PACKAGE.parent / "assets" / "voices"
