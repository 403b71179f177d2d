"""Files of published weights in safetensors: a file, a folder, or a repository of the Hugging Face Hub."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.errors import InputError

_NAME = "model.safetensors"


def find_weights(source: str, user: str) -> Path:
    """The file behind a name.

    Args:
        source: A `.safetensors` file, a folder with one such file, or `owner/name[@revision]` of a repository of the
            Hub with `model.safetensors`. With CALM_OFFLINE=1 only what an earlier run has left in the cache.
        user: What needs it, as messages say it.

    Raises:
        InputError: There is no such file.
    """
    path = Path(source)
    if path.is_file():
        return path
    if path.is_dir():
        files = sorted(path.glob("*.safetensors"))
        if len(files) != 1:
            raise InputError(f"{user} finds {len(files)} .safetensors files in {path}; give the file itself.")
        return files[0]
    if source.count("/") != 1 or source.endswith(".safetensors"):
        raise InputError(f"{user} finds no weights {source!r}; give a .safetensors file, or owner/name on the Hub.")
    from huggingface_hub import hf_hub_download

    name, _, revision = source.partition("@")
    offline = os.environ.get("CALM_OFFLINE", "").lower() in ("1", "true", "yes")
    try:
        return Path(hf_hub_download(name, _NAME, revision=revision or None, local_files_only=offline))
    except (OSError, ValueError) as error:  # its own errors are OSErrors or ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{user} cannot have {_NAME} of {source!r} ({reason}); give a .safetensors file on this machine."
        ) from error


def load_weights(source: str, user: str) -> dict[str, Any]:
    """Tensors by name, of what `find_weights` finds.

    Raises:
        InputError: There is no such file, or it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = find_weights(source, user)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{user} cannot read {path} ({error}); give a whole .safetensors file.") from error


def fill(module: Any, weights: Mapping[str, Any], source: str, user: str, prefixes: tuple[str, ...]) -> None:
    """Put weights into a network; those under other prefixes (of the input's own transforms) are not looked at.

    Raises:
        InputError: Weights are missing, are too many, or have another shape.
    """
    own = {name: value.float() for name, value in weights.items() if name.split(".")[0] in prefixes}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[1].strip()  # the first line names the class alone
        raise InputError(f"{source} does not hold the weights of {user} ({reason}); give those of that network.") from (
            error
        )
    module.eval().requires_grad_(False)
