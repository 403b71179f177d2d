"""Semantic distillation: phone shares by hand, WavLM's times and files, and an encoder that learns what is said."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from calm_core.errors import InputError
from calm_core.training.data import Row
from calm_core.training.loop import train_recipe
from calm_core.training.recipes import SemanticConfig
from calm_core.training.semantic import (
    INVENTORY,
    PhoneTeacher,
    SemanticDistance,
    WavLMTeacher,
    build_teacher,
    phone_shares,
    pool,
)
from tests.calm_core.training.test_training import rvq_recipe
from tests.calm_core.training.tiny_runs import codec_recipe, write

CPU = torch.device("cpu")
PHONES = [("pau", 0.1), ("s", 0.16), ("iy", 0.28)]
ONLY_SEMANTIC = [
    "mel_weight=0", "kl_weight=0", "commitment_weight=0", "pitch_weight=0", "adversarial_from=999",
    "schedule.weight_decay=0", "semantic.teacher=phones",
]  # fmt: skip


def named(shares: torch.Tensor) -> list[dict[str, float]]:
    return [{INVENTORY[i]: round(float(row[i]), 4) for i in (row > 1e-6).nonzero().flatten()} for row in shares]


def row_with(phones: list[tuple[str, float]]) -> Row:
    return Row("u", "train", "", "", 0, 1, phones=phones)


def test_shares_of_phones_by_hand() -> None:
    """Frames of 80 ms from -80 ms: 0.1 s of silence, 60 ms of s, 120 ms of iy, silence again."""
    shares = phone_shares(PHONES, -0.08, 6, 12.5)
    assert named(shares) == [
        {"pau": 1.0}, {"pau": 1.0}, {"pau": 0.25, "s": 0.75}, {"iy": 1.0}, {"pau": 0.5, "iy": 0.5}, {"pau": 1.0},
    ]  # fmt: skip
    assert named(phone_shares(PHONES, 0.12, 1, 12.5)) == [{"iy": 0.5, "s": 0.5}]
    with pytest.raises(InputError, match="'xx' is no phone"):
        phone_shares([("xx", 1.0)], 0.0, 1, 12.5)


def test_phone_features_are_smoothed_and_follow_the_piece() -> None:
    teacher = PhoneTeacher(24_000, 12.5)
    wave, row = torch.zeros(2, 1920 * 3), row_with(PHONES)
    features = teacher.features(wave, [(row, 0), (row, 1920)])
    assert features.shape == (2, 3, teacher.width)
    torch.testing.assert_close(features.sum(-1), torch.ones(2, 3))
    shares = phone_shares(PHONES, -0.08, 5, 12.5)
    torch.testing.assert_close(features[0], 0.25 * shares[:-2] + 0.5 * shares[1:-1] + 0.25 * shares[2:])
    torch.testing.assert_close(features[1, :2], features[0, 1:])
    with pytest.raises(InputError, match="utterance u has no phone times"):
        teacher.features(wave, [(row_with([]), 0)] * 2)


def test_pooling_looks_a_frame_half_ahead_and_half_back() -> None:
    features = torch.arange(12.0)[None, :, None]
    assert pool(features, 4).flatten().tolist() == [2.5, 5.5, 8.5]  # of 0..5, 2..9 and 6..11
    assert pool(features, 1) is features


def test_the_distance_is_that_of_angles() -> None:
    distance = SemanticDistance(2, 2)
    distance.requires_grad_(False)
    distance.projection.weight.copy_(torch.eye(2))
    distance.projection.bias.zero_()
    latents = torch.tensor([[[3.0, 0.0], [0.0, 2.0], [1.0, 1.0]]])
    assert distance(latents, 5 * latents) == pytest.approx(0, abs=1e-6)
    assert distance(latents, -latents) == pytest.approx(2)
    assert distance(latents[:, :1], latents[:, 1:2]) == pytest.approx(1)


@pytest.fixture(scope="module")
def tiny_wavlm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A WavLM with random weights in the Hub's layout."""
    transformers: Any = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("wavlm")
    torch.manual_seed(0)
    config = transformers.WavLMConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=[8] * 7,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    transformers.WavLMModel(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    yield folder


def test_wavlm_features_come_at_the_codecs_rate_and_know_no_loudness(tiny_wavlm: Path) -> None:
    teacher = WavLMTeacher(str(tiny_wavlm), 24_000, 12.5, CPU)
    assert teacher.width == 16 and teacher.model.dtype == torch.float32
    generator = torch.Generator().manual_seed(0)
    wave = 0.1 * torch.randn(2, 1920 * 6, generator=generator)
    features = teacher.features(wave, [])
    assert features.shape == (2, 6, 16) and not features.requires_grad
    # what is changed in frame 4 (backwards, so that the piece keeps its loudness) is heard there most
    changed = wave.clone()
    changed[:, 1920 * 4 : 1920 * 5] = wave[:, 1920 * 4 : 1920 * 5].flip(1)
    moved = (teacher.features(changed, []) - features).norm(dim=-1).mean(0)
    assert moved.argmax() == 4
    torch.testing.assert_close(teacher.features(5 * wave, []), features, atol=1e-3, rtol=1e-3)
    import transformers

    # the same by the model's own feature extractor, at its own rate
    heard = torch.randn(1, 1280 * 3, generator=generator)
    extractor: Any = transformers.Wav2Vec2FeatureExtractor.from_pretrained(tiny_wavlm)
    values = extractor(heard[0].numpy(), sampling_rate=16_000, return_tensors="pt").input_values
    with torch.no_grad():
        hidden = teacher.model(torch.nn.functional.pad(values, (40, 40))).last_hidden_state
    mine = WavLMTeacher(str(tiny_wavlm), 16_000, 12.5, CPU).features(heard, [])
    torch.testing.assert_close(mine, pool(hidden, 4), atol=1e-4, rtol=1e-4)


def test_a_wavlm_that_cannot_be_had_is_one_sentence(
    tiny_wavlm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALM_OFFLINE", "1")
    for source in (str(tmp_path), "nobody/no-such-wavlm"):
        with pytest.raises(InputError, match=r"model\.safetensors"):
            WavLMTeacher(source, 24_000, 12.5, CPU)
    with pytest.raises(InputError, match="cannot share evenly"):
        WavLMTeacher(str(tiny_wavlm), 24_000, 20.0, CPU)
    for file in tiny_wavlm.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    larger = json.loads((tmp_path / "config.json").read_text()) | {"num_hidden_layers": 2}
    (tmp_path / "config.json").write_text(json.dumps(larger))
    with pytest.raises(InputError, match=r"lacks .* weights of WavLM"):
        WavLMTeacher(str(tmp_path), 24_000, 12.5, CPU)


def test_without_transformers_wavlm_is_refused_and_phones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"pip install transformers==.* semantic\.teacher to phones"):
        build_teacher(SemanticConfig.model_validate({"teacher": "wavlm"}), 24_000, 12.5, CPU)
    assert build_teacher(SemanticConfig.model_validate({}), 24_000, 12.5, CPU).width == 41


def curve(folder: Path, name: str) -> list[float]:
    rows = [line.split(",") for line in (folder / "curves.csv").read_text().splitlines()[1:]]
    return [float(value) for _, key, value in rows if key == name]


@pytest.mark.parametrize("kind", ["vae", "rvq"])
def test_the_encoder_learns_what_is_said(corpus: Path, trained_codec: Path, tmp_path: Path, kind: str) -> None:
    """By the semantic loss alone: it falls, and what moves is the encoder, not the decoder."""
    make = codec_recipe if kind == "vae" else rvq_recipe
    start = trained_codec / "codec.safetensors"
    recipe = write(tmp_path / "recipe.yaml", make(corpus, tmp_path / "run", start_from=str(start)))
    steps = ["schedule.steps=20", "schedule.log_every=5", "schedule.learning_rate=0.01", "schedule.ema=0"]
    train_recipe(recipe, [*ONLY_SEMANTIC, *steps], resume=False)
    loss = curve(tmp_path / "run", "semantic")
    assert loss[-1] < 0.7 * loss[0]
    before, after = load_file(start), load_file(tmp_path / "run" / "codec.safetensors")
    inner = {name.removeprefix("autoencoder."): tensor for name, tensor in after.items()}
    moved = {name.split(".")[0] for name, tensor in before.items() if not torch.equal(tensor, inner[name])}
    assert moved == {"encoder"}
    kept = load_file(next((tmp_path / "run" / "checkpoint").glob("semantic-*.safetensors")))
    assert kept["projection.weight"].shape == (41, 8)
    assert not any(name.startswith("semantic") for name in after)


def test_a_run_with_a_teacher_resumes_and_a_frozen_encoder_has_none(corpus: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path / "a.yaml", codec_recipe(corpus, tmp_path / "a", semantic={"teacher": "phones"}))
    flat = ["schedule.final_learning_rate=0.001", "schedule.warmup=0", "adversarial_from=9"]
    train_recipe(recipe, [*flat, "schedule.steps=3"], resume=False)
    halves = write(tmp_path / "b.yaml", codec_recipe(corpus, tmp_path / "b", semantic={"teacher": "phones"}))
    train_recipe(halves, [*flat, "schedule.steps=2"], resume=False)
    train_recipe(halves, [*flat, "schedule.steps=3"], resume=True)
    for name in ("semantic", "codec"):
        one, other = (load_file(tmp_path / run / "checkpoint" / f"{name}-3.safetensors") for run in ("a", "b"))
        assert all(torch.equal(one[key], other[key]) for key in one)
    with pytest.raises(InputError, match="freeze_encoder must be false"):
        train_recipe(recipe, ["freeze_encoder=true"], resume=False)
    with pytest.raises(InputError, match=r"semantic\.teacher"):
        train_recipe(recipe, ["semantic.teacher=mother"], resume=False)
