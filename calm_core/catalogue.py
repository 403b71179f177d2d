"""Which models there are: bundled ones in `assets/checkpoints`, published ones on the Hub.

The published models come from `configs/pocket.yaml`; their identifiers are `pocket-tts/<name>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from calm_core import hub
from calm_core.config import (
    ClapModelConfig,
    ContinuationModelConfig,
    ModelCard,
    ModelConfig,
    TTSModelConfig,
    parse_config,
    read_config,
)
from calm_core.errors import InputError

PACKAGE = Path(__file__).parent
CHECKPOINTS = PACKAGE.parent / "assets" / "checkpoints"
POCKET = "pocket-tts/"
_LANGUAGE_CODES = {
    "english": "en", "french": "fr", "german": "de", "portuguese": "pt", "italian": "it",
    "spanish": "es", "dutch": "nl",
}  # fmt: skip


@dataclass(frozen=True)
class ModelInfo:
    """One line of the list of models.

    Attributes:
        id: what `load` and `--model` take.
        task: "tts", "speech_continuation", "music_continuation", "codec" or "clap".
        title: for people.
        parameters: number of weights, or None when nobody counted.
        source: "bundled", "hub" (would be downloaded), "cached" (was downloaded) or "local".
        licence: of the weights.
        language: ISO 639-1 code.
        tasks: all that the same weights can be loaded for, `task` first; a codec can be taken from every model.
    """

    id: str
    task: str
    title: str
    parameters: int | None
    source: str
    licence: str
    language: str
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A model that `find` has found: its configuration and the folder of its relative paths."""

    info: ModelInfo
    config: ModelConfig
    base: Path


@dataclass(frozen=True)
class PresetVoice:
    """A published voice of the pocket-tts models."""

    name: str
    language: str
    licence: str
    source: str


@cache
def _facts() -> Mapping[str, Any]:
    return yaml.safe_load((PACKAGE / "configs" / "pocket.yaml").read_text(encoding="utf-8"))


def pocket_names() -> list[str]:
    """Names of the published models, without the prefix."""
    return list(_facts()["models"])


def pocket_config(name: str) -> dict[str, Any]:
    """The configuration of one published model, in the form of the package's own files.

    Raises:
        InputError: there is no such model.
    """
    facts = _facts()
    if name not in facts["models"]:
        raise InputError(_unknown(POCKET + name))
    entry = facts["models"][name]
    size = {k: v for k, v in facts["sizes"][entry["size"]].items() if k != "parameters"}
    config = _merge(facts["base"], size)
    folder = f"languages/{name}/model.safetensors"
    config["weights_path"] = f"hf://{facts['repository']}/{folder}@{entry['weights']}"
    config["weights_path_without_voice_cloning"] = f"hf://{facts['open_repository']}/{folder}@{entry['open']}"
    table = {"tokenizer_path": f"hf://{facts['open_repository']}/{entry['tokenizer']}"}
    flow = {"type": entry["flow"]} if "flow" in entry else {}
    config = _merge(config, {"flow_lm": {"lookup_table": table, "flow": flow}})
    config["replace_characters"] = {
        old: new for new, olds in facts["characters"][entry["characters"]].items() for old in olds
    }
    if entry["language"] in facts["without_semicolons"]:
        config["remove_semicolons"] = True
    return config


def _merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def pocket_voices() -> list[PresetVoice]:
    """The published voices; every published model has all of them."""
    return [
        PresetVoice(name, _LANGUAGE_CODES[v["language"]], v["licence"], v["source"])
        for name, v in _facts()["voices"].items()
    ]


def pocket_voice_address(model: str, voice: str) -> str:
    """The Hub path of the voice file of one published model."""
    facts = _facts()
    return (
        f"hf://{facts['open_repository']}/languages/{model}/embeddings/{voice}.safetensors@{facts['voices_revision']}"
    )


def list_models() -> list[ModelInfo]:
    """Bundled models first, then the published ones."""
    bundled = [_bundled(p.parent).info for p in sorted(CHECKPOINTS.glob("*/config.yaml"))]
    return bundled + [_pocket_info(name, pocket_config(name)) for name in pocket_names()]


def find(model_id: str, progress: hub.Progress | None = None) -> Found:
    """Look a model up.

    Args:
        model_id: a bundled or published identifier, a folder with a `config.yaml`, a YAML file,
            or hf://owner/repo/path[@revision] of one.
        progress: told about a download of the configuration.

    Raises:
        InputError: there is no such model, or its configuration is faulty.
    """
    if model_id.startswith(POCKET):
        data = pocket_config(model_id.removeprefix(POCKET))
        info = _pocket_info(model_id.removeprefix(POCKET), data)
        return Found(info, _with_card(parse_config(data, model_id), info), Path())
    if (CHECKPOINTS / model_id / "config.yaml").is_file() and "/" not in model_id:
        return _bundled(CHECKPOINTS / model_id)
    if model_id.startswith("hf://"):
        head, at, revision = model_id.partition("@")
        if not head.endswith((".yaml", ".yml")):
            model_id = f"{head.rstrip('/')}/config.yaml{at}{revision}"
        path = hub.fetch(model_id, progress)
        found = _local(path, model_id)
        return Found(found.info, _on_hub(found.config, model_id), path.parent)
    path = Path(model_id)
    if path.is_dir():
        path = path / "config.yaml"
    if path.suffix in (".yaml", ".yml"):
        return _local(path, model_id)
    raise InputError(_unknown(model_id))


def _unknown(model_id: str) -> str:
    names = [info.id for info in list_models()]
    return (
        f"There is no model '{model_id}'; choose one of {', '.join(names[:6])}, ... (the command "
        f"`models` lists all {len(names)}), a folder, a YAML file or an hf:// path."
    )


def _on_hub(config: ModelConfig, address: str) -> ModelConfig:
    """Make the relative paths of a configuration from the Hub Hub paths as well."""
    head, at, revision = address.partition("@")
    folder = head.rsplit("/", 1)[0]
    changes: dict[str, Any] = {}
    weights = config.weights_path
    if weights is not None and not weights.startswith("hf://"):
        changes["weights_path"] = f"{folder}/{weights}{at}{revision}"
    if isinstance(config, ClapModelConfig):
        if weights is None:
            changes["weights_path"] = f"{folder}/model.safetensors{at}{revision}"
        if not config.text.tokenizer_path.startswith("hf://"):
            path = f"{folder}/{config.text.tokenizer_path}{at}{revision}"
            changes["text"] = config.text.model_copy(update={"tokenizer_path": path})
    return config.model_copy(update=changes)


def _with_card(config: ModelConfig, info: ModelInfo) -> ModelConfig:
    card = ModelCard(
        title=info.title,
        language=info.language,
        licence=info.licence,
        parameters=info.parameters,
    )
    return config.model_copy(update={"card": card})


def clap_address(found: Found) -> str | None:
    """What loads the CLAP model that a model of music names: a folder beside its own, or the name; None without one."""
    config = found.config
    if not isinstance(config, ContinuationModelConfig) or config.clap is None or config.clap.model is None:
        return None
    beside = found.base / config.clap.model
    return str(beside) if beside.exists() else config.clap.model


def _local(path: Path, model_id: str) -> Found:
    config = read_config(path)
    card = config.card
    title = card.title or path.stem
    info = ModelInfo(
        model_id, config.task, title, card.parameters, "local", card.licence, card.language, _tasks_of(config)
    )
    return Found(info, config, path.parent)


def _tasks_of(config: ModelConfig) -> tuple[str, ...]:
    described = isinstance(config, ContinuationModelConfig) and config.clap is not None
    return (config.task, "clap_to_music") if described else (config.task,)


def _bundled(folder: Path) -> Found:
    found = _local(folder / "config.yaml", folder.name)
    info = ModelInfo(**{**found.info.__dict__, "source": "bundled"})
    return Found(info, found.config, folder)


def _pocket_info(name: str, data: Mapping[str, Any]) -> ModelInfo:
    facts = _facts()
    entry = facts["models"][name]
    addresses = (data["weights_path"], data["weights_path_without_voice_cloning"])
    there = any(hub.cached(address) is not None for address in addresses)
    parameters = facts["sizes"][entry["size"]]["parameters"]
    return ModelInfo(
        id=POCKET + name,
        task="tts",
        title=f"Pocket TTS {name.replace('_', ' ')}",
        parameters=parameters * 1_000_000,
        source="cached" if there else "hub",
        licence=facts["licence"],
        language=_LANGUAGE_CODES[entry["language"]],
        tasks=("tts",),
    )


def expect_tts(found: Found) -> TTSModelConfig:
    """The configuration of a text-to-speech model.

    Raises:
        InputError: the model is for another task.
    """
    if not isinstance(found.config, TTSModelConfig):
        what = {
            "codec": "is a codec and cannot speak",
            "clap": "compares sounds with captions and cannot speak",
            "speech_continuation": "goes on from speech and reads no text",
            "music_continuation": "makes music and cannot speak",
        }.get(found.info.task, "cannot speak")
        raise InputError(f"'{found.info.id}' {what}; choose a model whose task is tts.")
    return found.config
