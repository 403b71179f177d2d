"""From a name to a CLAP with weights."""

from __future__ import annotations

from pathlib import Path

from calm_core.catalogue import find
from calm_core.clap import microsoft
from calm_core.clap.base import Clap
from calm_core.clap.model import ClapModel
from calm_core.clap.own import OwnClap
from calm_core.clap.pretrained import PretrainedClap
from calm_core.conditioners.tokenizer import load_tokenizer
from calm_core.config import ClapModelConfig
from calm_core.errors import InputError
from calm_core.hub import Progress, fetch
from calm_core.weights import load_into, pick_device, read_tensors

WEIGHTS_FILE = "model.safetensors"


def load_clap(model_id: str, device: str = "cpu", progress: Progress | None = None) -> Clap:
    """Load a CLAP.

    Args:
        model_id: an identifier from `list_models`, a folder or YAML file of ours, hf://owner/repo/path of ours, or a
            repository hf://owner/repo[@revision] or folder whose `config.json` transformers reads as a `ClapModel`,
            such as hf://laion/larger_clap_music; or a folder with Microsoft's CLAP, see `microsoft`.
        device: a torch device.
        progress: told about downloads of ours; transformers shows its own.

    Raises:
        InputError: there is no such model, it is for another task, or its files cannot be had or do not fit.
    """
    where = pick_device(device)
    if (Path(model_id) / microsoft.FILE).is_file():
        return microsoft.MicrosoftClap.load(Path(model_id), where)
    if is_pretrained(model_id):
        return PretrainedClap.load(model_id.removeprefix("hf://"), where)
    found = find(model_id, progress)
    config = found.config
    if not isinstance(config, ClapModelConfig):
        raise InputError(f"The task of '{found.info.id}' is {found.info.task}; choose a model whose task is clap.")
    path = fetch(config.weights_path or WEIGHTS_FILE, progress, found.base)
    file = fetch(config.text.tokenizer_path, progress, found.base)
    tokenizer = load_tokenizer(file, config.text.tokenizer, config.text.n_bins)
    model = load_into(lambda: ClapModel(config), read_tensors(path), path.name, where)
    assert isinstance(model, ClapModel)
    return OwnClap(found.info, model, tokenizer)


def is_pretrained(model_id: str) -> bool:
    """Whether a name is that of a model in the layout of transformers: a bare repository, or a folder with its file."""
    if model_id.startswith("hf://"):
        return model_id.removeprefix("hf://").partition("@")[0].strip("/").count("/") == 1
    folder = Path(model_id)
    return (folder / "config.json").is_file() and not (folder / "config.yaml").is_file()
