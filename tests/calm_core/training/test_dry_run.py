"""What a run will cost is known before it, and what is wrong with its recipe too."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from calm_core.cli import main
from calm_core.heads.lsd import LSDHead
from calm_core.model import CALM
from calm_core.training import cost
from calm_core.training.cost import matrix_peak, trace
from calm_core.training.recipes import Schedule, TTSRecipe, read_recipe
from evaluation.benchmarks import train as benchmark
from tests.calm_core.training.tiny_runs import codec_recipe, tts_recipe, write


def test_the_cost_of_a_linear_layer_is_that_of_its_matrix_products() -> None:
    def build() -> Any:
        layer, x = nn.Linear(10, 20), torch.ones(3, 10)
        return lambda: layer(x).sum()

    cost = trace(build)
    assert cost.flops == 2 * (2 * 3 * 10 * 20)  # forward, and backward to the weight alone
    assert cost.activation_bytes == 3 * 10 * 4  # the input


def test_a_traced_loss_costs_what_a_real_one_does_on_average() -> None:
    torch.manual_seed(0)
    head, z, x = LSDHead(4, 6, 8, 2), torch.randn(12, 6), torch.randn(12, 4)

    def count(seed: int) -> int:
        with FlopCounterMode(display=False) as counter:
            head.loss(z, x, torch.Generator().manual_seed(seed)).total.backward()
        return counter.get_total_flops()

    # seed 0 leaves the tangent term out, and a later one meets it
    plain = count(0)
    tangent = next(cost for cost in map(count, range(1, 99)) if cost != plain)
    assert tangent > plain
    mask = torch.ones(12, dtype=torch.bool)

    def build() -> Any:
        traced = LSDHead(4, 6, 8, 2)
        return lambda: traced.loss(torch.zeros(12, 6)[mask], torch.zeros(12, 4)[mask], torch.Generator()).total

    assert trace(build).flops == pytest.approx(0.75 * plain + 0.25 * tangent)


def test_the_matrix_peak_is_measured() -> None:
    assert 1e8 < matrix_peak(torch.device("cpu"), torch.float32, seconds=0.05) < 1e14


@pytest.fixture
def recipe(corpus: Path, trained_codec: Path, tmp_path: Path) -> Path:
    return write(tmp_path / "tts.yaml", tts_recipe(corpus, trained_codec, tmp_path / "tts" / "run"))


def test_a_dry_run_says_all_and_writes_nothing(
    recipe: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(corpus.iterdir())
    assert main(["train", str(recipe), "--dry-run"]) == 0
    plan = json.loads(capsys.readouterr().out)
    read = read_recipe(recipe, [])
    assert isinstance(read, TTSRecipe)
    calm = CALM(read.model)
    assert plan["parameters"]["all"] == sum(p.numel() for p in calm.parameters())
    assert plan["parameters"]["backbone"] == sum(p.numel() for p in calm.backbone.parameters())
    learned = plan["parameters"]["all"] - plan["parameters"]["codec"]
    assert plan["parameters"]["learned"] == learned
    assert plan["bytes"]["optimizer"] == 8 * learned and plan["bytes"]["activations"] > 0
    assert plan["flops_per_step"] > 0 and "not_traced" not in plan
    assert plan["hours"] == pytest.approx(plan["seconds_per_step"] * 4 / 3600)
    plans = []
    for shares in (1, 4):
        changes = ["model.head.kind=flow_matching", f"schedule.accumulate={shares}"]
        assert main(["train", str(recipe), *changes, "--dry-run"]) == 0
        plans.append(json.loads(capsys.readouterr().out))
    assert plans[0]["flops_per_step"] == pytest.approx(plans[1]["flops_per_step"])
    assert plans[0]["bytes"]["activations"] > 2 * plans[1]["bytes"]["activations"]
    assert not (tmp_path / "tts").exists() and sorted(corpus.iterdir()) == before


def test_a_dry_run_of_a_codec(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = write(tmp_path / "codec.yaml", codec_recipe(corpus, tmp_path / "run"))
    assert main(["train", str(code), "freeze_encoder=true", "--dry-run"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["parameters"]["learned"] == plan["parameters"]["all"] - plan["parameters"]["encoder"]
    assert plan["parameters"]["discriminators"] > 0 and "not_traced" not in plan
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.head.kind=crystal", "model.head"),
        ("model.backbone.num_heads=3", "the recipe's model do not fit together: self.attn_dim % num_heads == 0"),
        ("corpus=/nowhere", "calm synthesize"),
        ("codec=/nowhere.safetensors", "train it first"),
        ("model.codec.latent_dim=4", "does not fit the recipe"),
        ("start_from=/nowhere.safetensors", "correct the recipe's start_from"),
        ("schedule.accumulate=3", "4, which does not fall into 3 equal parts"),
        ("schedule.decay=linear", "schedule.decay"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_before_any_work(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str, words: str
) -> None:
    for arguments in (["--dry-run"], []):
        assert main(["train", str(recipe), override, *arguments]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "tts").exists()


def test_the_benchmark_measures_speed_against_the_peak(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(["--steps", "1", "--batch", "2", "--precision", "float32", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"] > 4e6 and found["flops_per_step"] > 1e9
    one = found["float32"]
    assert 0 < one["share_of_peak"] < 1.5
    assert one["frames_per_second"] > 2 * 25 * one["steps_per_second"]  # two rows of two seconds or more


def test_a_processor_that_emulates_bfloat16_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def peak(half: float) -> Any:
        return lambda device, dtype, *_: half if dtype is torch.bfloat16 else 60e9

    plain = {"steps": 10, "batch": 2, "learning_rate": 1e-3}
    schedule = Schedule.model_validate({**plain, "bf16": True})
    monkeypatch.setattr(cost, "matrix_peak", peak(0.6e9))
    notice = cost.bf16_notice(schedule, torch.device("cpu"))
    assert notice is not None and "0.6 GFLOP/s" in notice and "schedule.bf16=false" in notice
    assert cost.bf16_notice(Schedule.model_validate({**plain, "bf16": False}), torch.device("cpu")) is None
    monkeypatch.setattr(cost, "matrix_peak", peak(150e9))
    assert cost.bf16_notice(schedule, torch.device("cpu")) is None
