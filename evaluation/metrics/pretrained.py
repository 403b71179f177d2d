"""Pretrained models in the layout of the Hugging Face Hub, through `transformers`: a folder or `owner/name[@revision]`.

Weights are read from safetensors alone, and code that comes with a model is never run.
"""

import os
from pathlib import Path
from typing import Any

from evaluation.errors import InputError
from evaluation.metrics.optional import require

PIN = "transformers==5.23.0"


def load_pretrained(model_class: str, processor_class: str, source: str, device: str, user: str) -> tuple[Any, Any]:
    """A model in evaluation mode and its processor or tokenizer.

    Args:
        model_class: Class of `transformers` that holds the weights.
        processor_class: Class of `transformers` that prepares the input.
        source: A folder, or a model of the Hub with an optional `@revision`. With CALM_OFFLINE=1 only what an earlier
            run has left in the cache.
        device: A torch device.
        user: What needs it, as messages say it.

    Raises:
        InputError: `transformers` is missing; there is no such model; files are missing, damaged or of another kind of
            model; the device cannot be used.
    """
    transformers = require("transformers", user, PIN)
    name, _, revision = (source, "", "") if Path(source).exists() else source.partition("@")
    where: dict[str, Any] = {"local_files_only": os.environ.get("CALM_OFFLINE", "").lower() in ("1", "true", "yes")}
    if revision:
        where["revision"] = revision
    transformers.utils.logging.disable_progress_bar()
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # it would report missing weights and then go on
    try:
        model, report = getattr(transformers, model_class).from_pretrained(
            name, use_safetensors=True, output_loading_info=True, **where
        )
        processor = getattr(transformers, processor_class).from_pretrained(name, **where)
        model = model.eval().to(device)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{user} cannot load {source!r} ({reason}); give a folder with config.json, model.safetensors and the "
            f"files of {processor_class}, or owner/name of such a model on the Hub."
        ) from error
    finally:
        transformers.logging.set_verbosity(verbosity)
    lacking = sorted(report["missing_keys"])
    if lacking:  # transformers fills them with random numbers
        raise InputError(
            f"{user} cannot use {source!r}: its file lacks {len(lacking)} weights of {model_class}, the first is "
            f"{lacking[0]}; give a model of that kind."
        )
    return model, processor
