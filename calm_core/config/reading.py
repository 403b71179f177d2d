"""From YAML files to configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from calm_core.config.base import describe
from calm_core.config.clap import ClapModelConfig
from calm_core.config.models import CodecModelConfig, ContinuationModelConfig, ModelConfig, TTSModelConfig
from calm_core.config.pocket import PocketConfig
from calm_core.errors import InputError


def parse_config(data: Any, source: str) -> ModelConfig:
    """Build a configuration from parsed YAML.

    Args:
        data: what the YAML file holds.
        source: name of the file for error messages.

    Returns:
        The configuration of the `task` that it names; pocket-tts files are converted.

    Raises:
        InputError: an unknown, missing or ill-typed key, named with its path.
    """
    if not isinstance(data, dict):
        raise InputError(f"{source} is not a model configuration: it holds no keys at the top.")
    try:
        if "flow_lm" in data or "mimi" in data:
            return PocketConfig.model_validate(data).to_model()
        if data.get("task") == "codec":
            return CodecModelConfig.model_validate(data)
        if data.get("task") in ("speech_continuation", "music_continuation"):
            return ContinuationModelConfig.model_validate(data)
        if data.get("task") == "clap":
            return ClapModelConfig.model_validate(data)
        return TTSModelConfig.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{source}: {describe(error)}") from None


def read_config(path: Path) -> ModelConfig:
    """Read a model configuration from a YAML file.

    Raises:
        InputError: the file is missing, is not YAML or does not describe a model.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no configuration file {path}.") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path.name} cannot be read as YAML ({reason}).") from None
    return parse_config(data, path.name)
