"""Statistics of latents: by hand, beside the latents of a corpus, and with the codec that made them."""

import math
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import calm_core
from calm_core.codecs import build_codec
from calm_core.errors import InputError
from calm_core.training.data import Corpus
from calm_core.training.latents import LatentCorpus, encode_corpus
from calm_core.training.package import add_statistics, package
from calm_core.training.recipes import CodecRecipe, read_recipe
from calm_core.training.statistics import FILE, exact_statistics, read_statistics
from tests.calm_core.training.test_training import rvq_recipe
from tests.calm_core.training.tiny_runs import codec_recipe, write


def test_statistics_by_hand_whatever_the_utterances_are() -> None:
    frames = torch.tensor([[1.0, 5.0], [2.0, 5.5], [6.0, 6.0]]).half()
    for pieces in ([frames], [frames[:1], frames[1:]]):
        mean, std = exact_statistics(pieces)
        assert mean.tolist() == [3.0, 5.5]
        torch.testing.assert_close(std, torch.tensor([math.sqrt((4 + 1 + 9) / 2), 0.5]))


def test_a_large_mean_does_not_drown_a_small_deviation() -> None:
    frames = 1e4 + torch.tensor([[-1e-2], [1e-2]], dtype=torch.float64).repeat(5000, 1)
    assert exact_statistics([frames])[1].item() == pytest.approx(1e-2, rel=1e-3)


def untrained(corpus: Path, folder: Path, discrete: bool = False) -> CodecRecipe:
    """A recipe whose folder has a codec with random weights."""
    make = rvq_recipe if discrete else codec_recipe
    recipe = read_recipe(write(folder / "codec.yaml", make(corpus, folder)), [])
    assert isinstance(recipe, CodecRecipe)
    torch.manual_seed(0)
    save_file(build_codec(recipe.model).state_dict(), folder / "codec.safetensors")
    return recipe


def test_a_corpus_leaves_statistics_that_travel_with_its_codec(corpus: Path, tmp_path: Path) -> None:
    recipe = untrained(corpus, tmp_path)
    codec = build_codec(recipe.model).eval()
    codec.load_state_dict(load_file(tmp_path / "codec.safetensors"))
    latents = tmp_path / "latents"
    latents.mkdir()
    encode_corpus(codec, Corpus(corpus, "valid"), latents / "valid.safetensors")
    assert not (latents / FILE).exists()
    encode_corpus(codec, Corpus(corpus, "train"), latents / "train.safetensors")
    every = torch.cat(list(load_file(latents / "train.safetensors").values())).double()
    kept = load_file(latents / FILE)
    torch.testing.assert_close(kept["latent_mean"], every.mean(0).float())
    torch.testing.assert_close(kept["latent_std"], every.std(0).float())
    # what a model of these latents is trained with
    for mine, stored in zip(LatentCorpus(latents / "train.safetensors").statistics(), kept.values(), strict=True):
        torch.testing.assert_close(mine, stored)

    package(recipe, tmp_path / "with", "Tiny", "MIT", statistics=latents / FILE)
    package(recipe, tmp_path / "without", "Tiny", "MIT")
    loaded = calm_core.load(str(tmp_path / "with"), task="codec")
    assert loaded.statistics is not None and loaded.bitrate is None
    assert torch.equal(loaded.statistics.mean, kept["latent_mean"])
    assert torch.equal(loaded.statistics.std, kept["latent_std"])
    assert calm_core.load(str(tmp_path / "without"), task="codec").statistics is None
    add_statistics(tmp_path / "without" / "config.yaml", latents / FILE)
    texts = [(tmp_path / name / "config.yaml").read_text() for name in ("with", "without")]
    assert texts[0] == texts[1]


def test_codes_have_no_statistics_but_a_bitrate(corpus: Path, tmp_path: Path) -> None:
    recipe = untrained(corpus, tmp_path, discrete=True)
    encode_corpus(build_codec(recipe.model).eval(), Corpus(corpus, "train"), tmp_path / "train.safetensors")
    assert not (tmp_path / FILE).exists()
    package(recipe, tmp_path / "rvq", "Tiny", "MIT")
    codec = calm_core.load(str(tmp_path / "rvq"), task="codec")
    assert codec.statistics is None
    assert codec.bitrate == 3 * 3 * 12.5  # three levels of eight codes


def test_statistics_that_do_not_fit_are_named(corpus: Path, tmp_path: Path) -> None:
    recipe = untrained(corpus, tmp_path)
    save_file({"latent_mean": torch.zeros(3), "latent_std": torch.ones(3)}, tmp_path / FILE)
    package(recipe, tmp_path / "narrow", "Tiny", "MIT", statistics=tmp_path / FILE)
    with pytest.raises(InputError, match="of 3 channels and its codec has 8"):
        calm_core.load(str(tmp_path / "narrow"), task="codec")
    values = yaml.safe_load((tmp_path / "narrow" / "config.yaml").read_text())
    values["latent_statistics"]["std"].pop()
    (tmp_path / "narrow" / "config.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(InputError, match="mean has 3 numbers and std 2"):
        calm_core.load(str(tmp_path / "narrow"), task="codec")
    save_file({"latent_mean": torch.zeros(3), "latent_std": torch.zeros(3)}, tmp_path / FILE)
    with pytest.raises(InputError, match="greater than 0"):
        read_statistics(tmp_path / FILE)
    with pytest.raises(InputError, match="holds no latent_mean"):
        read_statistics(tmp_path / "codec.safetensors")
