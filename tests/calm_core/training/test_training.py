"""Both trainers on a corpus that fits in a hand: resuming, overrides, faults, packaging, and that losses fall."""

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Literal

import pytest
import soundfile as sf
import torch
from safetensors.torch import load_file

from calm_core.catalogue import find
from calm_core.codecs import RVQCodec, build_codec
from calm_core.errors import InputError
from calm_core.tasks.loading import load_codec, load_tts
from calm_core.training.loop import learning_rate, train_recipe
from calm_core.training.package import package
from calm_core.training.recipes import Schedule, read_recipe
from tests.calm_core.training.tiny_runs import CODEC, SCHEDULE, codec_recipe, same, tts_recipe, write


def rvq_recipe(corpus: Path, folder: Path, **changes: object) -> dict[str, object]:
    model = {"kind": "rvq", "autoencoder": {"kind": "spectral", **CODEC}, "levels": 3, "codebook_size": 8}
    return codec_recipe(corpus, folder, **{"model": model, "adversarial_from": 1, **changes})


@pytest.fixture(scope="module")
def trained_rvq(corpus: Path, trained_codec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps from the VAE codec at a rate that moves nothing, so that its weights can be found again."""
    folder = tmp_path_factory.mktemp("rvq")
    start = trained_codec / "codec.safetensors"
    recipe = write(folder / "rvq.yaml", rvq_recipe(corpus, folder / "run", start_from=str(start)))
    still = ["schedule.learning_rate=1e-12", "schedule.final_learning_rate=1e-12", "schedule.steps=2"]
    train_recipe(recipe, still, resume=False)
    vae, rvq = load_file(start), load_file(folder / "run" / "codec.safetensors")
    assert rvq.keys() - {"quantizer.codebooks", "quantizer.usage", "quantizer.started"} == {
        f"autoencoder.{name}" for name in vae
    }
    for name, tensor in vae.items():
        torch.testing.assert_close(rvq[f"autoencoder.{name}"], tensor, atol=1e-6, rtol=1e-6)
    assert rvq["quantizer.started"] and (rvq["quantizer.usage"] > 0).all()
    return folder / "run"


def test_a_resumed_codec_run_equals_an_uninterrupted_one(corpus: Path, trained_codec: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path / "codec.yaml", codec_recipe(corpus, tmp_path / "run"))
    train_recipe(recipe, ["schedule.steps=2"], resume=False)
    checkpoint = tmp_path / "run" / "checkpoint" / "checkpoint.json"
    assert json.loads(checkpoint.read_text())["step"] == 2
    # The learning rate hangs on the length of the run, so the first half must be redone with the right length.
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    for folder, stops in ((straight, [4]), (resumed, [3, 4])):
        for stop in stops:
            at = write(
                tmp_path / "r.yaml", codec_recipe(corpus, folder, schedule={**SCHEDULE, "final_learning_rate": 1e-3})
            )
            train_recipe(at, [f"schedule.steps={stop}", "schedule.warmup=0"], resume=stop != stops[0])
    assert same(straight / "codec.safetensors", resumed / "codec.safetensors")


def test_a_run_that_is_told_to_stop_saves_and_goes_on_later(corpus: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path / "codec.yaml", codec_recipe(corpus, tmp_path / "run"))
    curves, checkpoint = tmp_path / "run" / "curves.csv", tmp_path / "run" / "checkpoint" / "checkpoint.json"

    def stop_when_it_runs() -> None:
        while not curves.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    threading.Thread(target=stop_when_it_runs, daemon=True).start()
    train_recipe(recipe, ["schedule.steps=100000", "schedule.log_every=1"], resume=False)
    assert signal.getsignal(signal.SIGTERM) is before
    reached = json.loads(checkpoint.read_text())["step"]
    assert 0 < reached < 100_000
    train_recipe(recipe, [f"schedule.steps={reached + 1}"], resume=True)
    assert json.loads(checkpoint.read_text())["step"] == reached + 1


def test_a_frozen_encoder_stays_while_its_decoder_learns(corpus: Path, trained_codec: Path, tmp_path: Path) -> None:
    before = trained_codec / "codec.safetensors"
    recipe = write(
        tmp_path / "codec.yaml",
        codec_recipe(corpus, tmp_path / "run", start_from=str(before), freeze_encoder=True, adversarial_from=0),
    )
    train_recipe(recipe, [], resume=False)
    old, new = load_file(before), load_file(tmp_path / "run" / "codec.safetensors")
    changed = {name.split(".")[0] for name in old if not torch.equal(old[name], new[name])}
    assert changed == {"decoder"}


@pytest.mark.parametrize("weights", ["fp16", "int8"])
def test_an_rvq_codec_starts_from_a_vae_codec_and_is_packaged(
    corpus: Path, trained_rvq: Path, tmp_path: Path, weights: Literal["fp16", "int8"]
) -> None:
    recipe = read_recipe(write(tmp_path / "rvq.yaml", rvq_recipe(corpus, trained_rvq)), [])
    made = load_file(trained_rvq / "codec.safetensors")
    package(recipe, tmp_path / "models" / "tiny-rvq", "Tiny", "MIT", weights=weights)
    codec = load_codec(find(str(tmp_path / "models" / "tiny-rvq")))
    assert isinstance(codec, RVQCodec) and codec.quantizer.started
    assert torch.equal(codec.quantizer.codebooks, made["quantizer.codebooks"].half().float())
    stored = load_file(tmp_path / "models" / "tiny-rvq" / "model.safetensors")
    assert ({tensor.dtype for tensor in stored.values()} >= {torch.int8}) == (weights == "int8")
    plain = build_codec(recipe.model).eval().requires_grad_(False)
    assert isinstance(plain, RVQCodec)
    plain.load_state_dict(made)
    wave = 0.3 * torch.randn(1, 1, 1920 * 4, generator=torch.Generator().manual_seed(0))
    latents = plain.autoencoder.encode(wave)
    torch.testing.assert_close(codec.autoencoder.encode(wave), latents, atol=0.02 * float(latents.abs().max()), rtol=0)
    assert codec.reconstruct(wave).shape == wave.shape


def test_an_rvq_run_resumes_with_the_same_codebooks(corpus: Path, trained_rvq: Path, tmp_path: Path) -> None:
    changes = {"start_from": str(trained_rvq / "codec.safetensors"), "adversarial_from": 9}
    flat = ["schedule.final_learning_rate=0.001", "schedule.warmup=0"]
    straight = write(tmp_path / "a.yaml", rvq_recipe(corpus, tmp_path / "a", **changes))
    train_recipe(straight, [*flat, "schedule.steps=4"], resume=False)
    halves = write(tmp_path / "b.yaml", rvq_recipe(corpus, tmp_path / "b", **changes))
    train_recipe(halves, [*flat, "schedule.steps=2"], resume=False)
    train_recipe(halves, [*flat, "schedule.steps=4"], resume=True)
    assert same(tmp_path / "a" / "codec.safetensors", tmp_path / "b" / "codec.safetensors")
    before, after = load_file(trained_rvq / "codec.safetensors"), load_file(tmp_path / "a" / "codec.safetensors")
    assert {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])} == {
        "autoencoder", "quantizer",
    }  # fmt: skip


def test_codecs_that_the_trainer_does_not_know_are_refused(corpus: Path, tmp_path: Path) -> None:
    transformer = {
        "d_model": 16, "input_dimension": 16, "output_dimensions": [16], "num_heads": 2, "num_layers": 1, "context": 4,
        "dim_feedforward": 16,
    }  # fmt: skip
    autoencoder = {
        "kind": "vae", "seanet": {"dimension": 16, "n_filters": 4, "ratios": [6, 5, 4]}, "transformer": transformer,
        "quantizer": {"dimension": 8, "output_dimension": 16}, "inner_dim": 8, "outer_dim": 16,
    }  # fmt: skip
    model = {"kind": "rvq", "autoencoder": autoencoder}
    recipe = write(tmp_path / "vae.yaml", codec_recipe(corpus, tmp_path / "run", model=model))
    with pytest.raises(InputError, match="kind 'vae'"):
        train_recipe(recipe, [], resume=False)


def test_a_tts_run_learns_resumes_and_becomes_a_loadable_model(
    corpus: Path, trained_codec: Path, tmp_path: Path
) -> None:
    straight = write(tmp_path / "a.yaml", tts_recipe(corpus, trained_codec, tmp_path / "a" / "run"))
    flat = ["schedule.final_learning_rate=0.001", "schedule.warmup=0"]
    train_recipe(straight, [*flat, "schedule.steps=4"], resume=False)
    halves = write(tmp_path / "b.yaml", tts_recipe(corpus, trained_codec, tmp_path / "b" / "run"))
    train_recipe(halves, [*flat, "schedule.steps=2"], resume=False)
    train_recipe(halves, [*flat, "schedule.steps=4"], resume=True)
    assert same(tmp_path / "a" / "run" / "model.safetensors", tmp_path / "b" / "run" / "model.safetensors")
    spoken = [path for path in (tmp_path / "a" / "run" / "samples").iterdir() if path.name.startswith("0000004-")]
    assert [sf.info(path).frames % 1920 for path in spoken] == [0]
    first = read_recipe(write(tmp_path / "c.yaml", codec_recipe(corpus, trained_codec)), [])
    package(first, tmp_path / "models" / "tiny-codec", "Tiny", "MIT")
    package(read_recipe(straight, []), tmp_path / "models" / "tiny-tts", "Tiny", "MIT", codec_id="tiny-codec")
    codec = load_codec(find(str(tmp_path / "models" / "tiny-codec")))
    model = load_tts(find(str(tmp_path / "models" / "tiny-tts"))).model
    wave = torch.randn(1, 1, 1920 * 4)
    torch.testing.assert_close(model.codec.reconstruct(wave), codec.reconstruct(wave))
    assert model.latent_std.gt(0).all() and not model.latent_std.eq(1).all()


def test_losses_fall(corpus: Path, trained_codec: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path / "a.yaml", tts_recipe(corpus, trained_codec, tmp_path / "run"))
    train_recipe(recipe, ["schedule.steps=80", "schedule.learning_rate=0.005", "schedule.log_every=10"], resume=False)
    rows = (tmp_path / "run" / "curves.csv").read_text().splitlines()[1:]
    duration = [float(r.split(",")[2]) for r in rows if ",duration," in r]
    flow = [float(r.split(",")[2]) for r in rows if ",flow," in r]
    assert duration[-1] < 0.5 * duration[0]
    assert flow[-1] < 0.95 * flow[0]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("schedule.stepz=3", "schedule.stepz"),
        ("mel_weight=loud", "mel_weight"),
        ("corpus=/nowhere", "calm synthesize"),
        ("nonsense", "key=value"),
    ],
)
def test_faults_in_a_recipe_are_named(corpus: Path, tmp_path: Path, override: str, words: str) -> None:
    recipe = write(tmp_path / "codec.yaml", codec_recipe(corpus, tmp_path / "run"))
    with pytest.raises(InputError, match=words):
        train_recipe(recipe, [override], resume=False)
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_a_folder_with_a_checkpoint_is_not_overwritten(corpus: Path, trained_codec: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path / "codec.yaml", codec_recipe(corpus, trained_codec))
    with pytest.raises(InputError, match="--resume"):
        train_recipe(recipe, [], resume=False)
    empty = write(tmp_path / "empty.yaml", codec_recipe(corpus, tmp_path / "empty"))
    with pytest.raises(InputError, match="no checkpoint"):
        train_recipe(empty, [], resume=True)


def test_the_learning_rate_warms_up_and_ends_where_the_recipe_says() -> None:
    schedule = Schedule.model_validate(
        {"steps": 110, "batch": 1, "learning_rate": 1.0, "final_learning_rate": 0.1, "warmup": 10}
    )
    assert learning_rate(schedule, 0) == pytest.approx(0.1)
    assert learning_rate(schedule, 9) == pytest.approx(1.0)
    assert learning_rate(schedule, 60) == pytest.approx(0.55)
    assert learning_rate(schedule, 110) == pytest.approx(0.1)


def test_the_bundled_recipes_are_valid() -> None:
    configs = Path(__file__).parents[3] / "calm_core" / "configs"
    for name in (
        "codec_speech.yaml",
        "codec_speech_decoder.yaml",
        "codec_speech_rvq.yaml",
        "codec_speech_semantic.yaml",
        "tts_en_teacher.yaml",
    ):
        read_recipe(configs / name, [])
