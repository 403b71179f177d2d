from pathlib import Path
from typing import Any

import pytest
import yaml

from calm_core.config import CodecModelConfig, PocketConfig, TTSModelConfig, parse_config, read_config
from calm_core.errors import InputError
from tests.calm_core import tiny


def changed(path: str, value: Any, remove: bool = False) -> dict[str, Any]:
    """The tiny configuration with one key, named by its dotted path, set or removed."""
    data = tiny.tts()
    node = data
    *branches, leaf = path.split(".")
    for branch in branches:
        node = node[branch]
    if remove:
        del node[leaf]
    else:
        node[leaf] = value
    return data


def test_a_whole_configuration_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump(tiny.tts()))
    config = read_config(path)
    assert isinstance(config, TTSModelConfig)
    assert config.codec.kind == "vae" and config.backbone.num_kv_heads == 2
    assert isinstance(parse_config({"task": "codec", "codec": tiny.codec()}, "codec"), CodecModelConfig)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (changed("backbone.num_head", 4), ["backbone.num_head", "unknown"]),
        (changed("codec.seanet.n_filter", 4), ["n_filter", "unknown"]),
        (changed("head.kind", "lsdd"), ["head.kind", "lsdd"]),
        (changed("head.depth", "deep"), ["head.depth", "deep"]),
        (changed("backbone.d_model", None, remove=True), ["backbone.d_model", "missing"]),
        (changed("text.kind", "prefixed"), ["text"]),
        ([1, 2], ["no keys"]),
    ],
)
def test_a_fault_names_its_key(data: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        parse_config(data, "my.yaml")
    assert str(error.value).startswith("my.yaml") and "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words)


def test_a_typo_in_a_file_of_the_package_names_its_key() -> None:
    from calm_core.catalogue import pocket_config

    data = pocket_config("english")
    data["flow_lm"]["transformer"] = data["flow_lm"]["transformer"] | {"num_layer": 6}
    with pytest.raises(InputError, match=r"unknown key 'flow_lm.transformer.num_layer'"):
        parse_config(data, "english.yaml")


def test_package_files_become_our_configuration() -> None:
    from calm_core.catalogue import pocket_config

    model = PocketConfig.model_validate(pocket_config("english_2m_2026-10")).to_model()
    assert (model.head.kind, model.head.channels, model.backbone.dim_feedforward) == ("pointwise", 64, 96)
    assert (model.text.kind, model.sampling.eos_threshold) == ("prefix", -1.0)


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe\x00", b"just words"])
def test_what_is_not_yaml_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.yaml") as error:
        read_config(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.yaml"):
        read_config(tmp_path / "nothing.yaml")
