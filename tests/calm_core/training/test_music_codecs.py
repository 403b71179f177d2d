"""The codecs of music from recipe to recipe: a VAE, its decoder's second stage, codebooks around the same trunk."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import calm_core
from calm_core.codecs import RVQCodec, build_codec
from calm_core.nn.mel import tone_frequencies
from calm_core.training.check import build_without_storage, check_weights
from calm_core.training.data import Corpus
from calm_core.training.loop import train_recipe
from calm_core.training.losses import ToneDistance
from calm_core.training.package import package
from calm_core.training.recipes import CodecRecipe, read_recipe
from tests.calm_core.training.test_music import read as read_model
from tests.calm_core.training.tiny_runs import write_corpus

CONFIGS = Path(calm_core.__file__).parent / "configs"
TINY = CONFIGS / "tiny"
RATE, FRAME = 32_000, 1280
FEW = ["schedule.batch=2", "schedule.bf16=false", "schedule.warmup=0"]
DECODER = ["start_from=data/tiny/codec_music/codec.safetensors", "freeze_encoder=true", "adversarial_from=0"]


def read(name: str, *overrides: str) -> CodecRecipe:
    recipe = read_recipe(CONFIGS / f"{name}.yaml", list(overrides))
    assert isinstance(recipe, CodecRecipe)
    return recipe


def note(rng: np.random.Generator) -> np.ndarray:
    """Two seconds of a plucked string with its overtones."""
    time, pitch = np.arange(2 * RATE) / RATE, rng.uniform(110, 440)
    partials = [np.sin(2 * np.pi * pitch * k * time) * np.exp(-k * time) / k for k in range(1, 6)]
    return 0.3 * np.sum(partials, axis=0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny recipes ran for a few steps each."""
    root = tmp_path_factory.mktemp("music")
    rng = np.random.default_rng(0)
    write_corpus(root / "data" / "tiny" / "corpus_music", [note(rng) for _ in range(8)], RATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        train_recipe(TINY / "codec_music.yaml", [*FEW, "schedule.steps=3"], resume=False)
        second = [*FEW, *DECODER, "folder=data/tiny/codec_music_decoder", "schedule.steps=3", "schedule.log_every=1"]
        train_recipe(TINY / "codec_music.yaml", second, resume=False)
        still = ["schedule.learning_rate=1e-12", "schedule.final_learning_rate=1e-12", "schedule.steps=2"]
        train_recipe(TINY / "codec_music_rvq.yaml", [*FEW, *still], resume=False)
    return root / "data" / "tiny"


def test_the_second_stage_changes_the_decoder_alone(runs: Path) -> None:
    """Against discriminators at 32 kHz; latents that were made before stay what they are."""
    before, after = (load_file(runs / name / "codec.safetensors") for name in ("codec_music", "codec_music_decoder"))
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"decoder"}
    said = (runs / "codec_music_decoder" / "curves.csv").read_text()
    assert all(f",{name}," in said for name in ("mel", "wave", "adversarial", "features", "discriminator"))


def test_training_of_tones_begins_at_their_principal_components(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two steps that change next to nothing, notes come out better than from weights drawn by chance."""
    monkeypatch.chdir(runs.parents[1])
    model = ["model.kind=sinusoidal", "model.lowest=55", "model.per_octave=12", "model.tones=60", "wave_weight=0"]
    still = ["schedule.learning_rate=1e-12", "schedule.final_learning_rate=1e-12", "schedule.steps=2"]
    made = [*FEW, *model, *still, "tone_weight=5", "folder=data/tiny/codec_music_tones"]
    train_recipe(TINY / "codec_music.yaml", made, resume=False)
    started, by_chance = (build_codec(read("tiny/codec_music", *made).model) for _ in range(2))
    started.load_state_dict(load_file(runs / "codec_music_tones" / "codec.safetensors"))
    corpus = Corpus(runs / "corpus_music", "valid")
    wave = corpus.audio(corpus.rows[0])[None]
    apart = ToneDistance(tone_frequencies(55, 12, 60), RATE)
    with torch.inference_mode():
        near, far = (float(apart(codec.reconstruct(wave[:, None])[:, 0], wave)) for codec in (started, by_chance))
    assert near < 0.7 * far
    said = (runs / "codec_music_tones" / "curves.csv").read_text()
    assert ",tones," in said and ",wave," not in said
    # a packaged one, which begins without storage, makes the same sound
    package(read("tiny/codec_music", *made), tmp_path / "tones", "Tiny", "MIT")
    codec: Any = calm_core.load(str(tmp_path / "tones"), task="codec")
    sound = codec.reconstruct(calm_core.Audio(wave[0], RATE)).samples.reshape(1, -1)
    assert float(apart(sound, wave)) == pytest.approx(near, rel=0.05)


def test_codebooks_start_around_the_trained_trunk(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vae, rvq = (load_file(runs / name / "codec.safetensors") for name in ("codec_music", "codec_music_rvq"))
    for name, tensor in vae.items():
        torch.testing.assert_close(rvq[f"autoencoder.{name}"], tensor, atol=1e-6, rtol=1e-6)
    assert rvq["quantizer.started"] and rvq["quantizer.codebooks"].shape == (4, 64, 8)
    # it is the codec that the tiny baseline names, and becomes a model of its own
    monkeypatch.chdir(runs.parents[1])
    model = read_model(TINY / "music_rq.yaml")
    check_weights(model.codec, build_without_storage(lambda: build_codec(model.model.codec), "codec"), "codec")
    package(read("tiny/codec_music_rvq"), tmp_path / "rvq", "Tiny", "MIT")
    codec: Any = calm_core.load(str(tmp_path / "rvq"), task="codec")
    made = codec.reconstruct(calm_core.Audio(torch.from_numpy(note(np.random.default_rng(9))).float(), RATE))
    assert made.sample_rate == RATE and made.samples.isfinite().all()


def test_the_recipes_of_music_codecs_are_of_one_family() -> None:
    vae, decoder, rvq = (read(name) for name in ("codec_music", "codec_music_decoder", "codec_music_rvq"))
    assert decoder.start_from == rvq.start_from == vae.folder / "codec.safetensors"
    assert decoder.freeze_encoder and decoder.model == vae.model == rvq.model.autoencoder  # type: ignore[union-attr]
    assert decoder.corpus == rvq.corpus == vae.corpus
    assert (decoder.crop_seconds, decoder.mel_weight, decoder.tone_weight) == (1.28, 10.0, 10.0)
    for name in ("music_calm", "music_trigflow"):
        model = read_model(CONFIGS / f"{name}.yaml")
        assert model.codec == vae.folder / "codec.safetensors" and model.model.codec == vae.model
    for name in ("music_rq", "music_musicgen"):
        model = read_model(CONFIGS / f"{name}.yaml")
        assert model.codec == rvq.folder / "codec.safetensors" and model.model.codec == rvq.model
        assert model.corpus == rvq.corpus


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("codec_music", [(32, 0), (96, 0), (128, 0)]), ("codec_music_rvq", [(64, 16), (64, 32)])],
)
def test_the_codecs_of_table_7_are_overrides(name: str, sizes: list[tuple[int, int]]) -> None:
    """The comments of a recipe hold lines of a name and overrides, four spaces apart."""
    lines = (CONFIGS / f"{name}.yaml").read_text().splitlines()
    overrides = [line.split("    ")[-1].split() for line in lines if line.startswith("#   ")]
    folders, found = {read(name).folder}, []
    for each in overrides:
        recipe = read(name, *each)
        codec: Any = build_without_storage(lambda model=recipe.model: build_codec(model), "model")
        found.append((codec.latent_dim, codec.levels if isinstance(codec, RVQCodec) else 0))
        folders.add(recipe.folder)
        assert (codec.sample_rate, codec.frame_rate, codec.frame_size) == (RATE, 25, FRAME)
    assert found == sizes and len(folders) == 1 + len(sizes)
