"""How fast a training step is, and which share of the machine's matrix products it uses."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from calm_core.codecs import build_codec
from calm_core.conditioners.aligned import PHONES
from calm_core.training.checkpoint import write_tensors
from calm_core.training.cost import clock, matrix_peak
from calm_core.training.latent_shards import ShardWriter, write_index
from calm_core.training.recipes import TTSRecipe, read_recipe
from calm_core.training.schedule import step_generator
from calm_core.training.tts import TTSTrainer

RECIPE = Path(__file__).parents[1] / "configs" / "tts_en_teacher.yaml"


def write_synthetic_latents(folder: Path, channels: int, rows: int, seed: int) -> None:
    """Noise in place of latents, 2 to 6 s long with a phone each 80 ms: speed does not depend on what they say."""
    generator = torch.Generator().manual_seed(seed)
    for split, count in (("train", rows), ("valid", 4)):
        writer = ShardWriter(folder, split)
        for index in range(count):
            frames = int(torch.randint(25, 76, (1,), generator=generator))
            phones = [PHONES[int(torch.randint(1, len(PHONES), (1,), generator=generator))] for _ in range(frames)]
            row = {
                "id": f"{split}{index}",
                "speaker": f"s{index % 8}",
                "text": "Noise.",
                "phones": [[phone, round(0.08 * (place + 1), 2)] for place, phone in enumerate(phones)],
            }
            writer.add(row, torch.randn(frames, channels, generator=generator))
        writer.flush()
        write_index(folder, split, {"channels": channels})


def _trainer(recipe: TTSRecipe, bf16: bool) -> TTSTrainer:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)  # it holds to the arithmetic that came first
    return TTSTrainer(recipe, Accelerator(mixed_precision="bf16" if bf16 else "no"))


def measure_training(
    steps: int, overrides: Sequence[str] = (), precisions: Sequence[str] = ("float32", "bfloat16"), seed: int = 0
) -> dict[str, Any]:
    """Train the bundled text-to-speech model on noise for a few steps.

    Args:
        steps: That are timed, after one that is not, in each arithmetic.
        overrides: Of `configs/tts_en_teacher.yaml`, as `key=value`.
        precisions: Arithmetics, of float32 and bfloat16.
        seed: Of the noise.

    Returns:
        `parameters` that learn, `flops_per_step` (counted while the same steps run once more), and for each
        arithmetic `steps_per_second` and `frames_per_second` on the wall's clock, `matrix_peak_flops` measured in the
        same process, and `share_of_peak`, both on the process's own clock (`cost.clock`).
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = [
            f"folder={folder / 'run'}",
            f"latents={folder}",
            f"corpus={folder}",
            f"codec={folder / 'codec.safetensors'}",
        ]
        recipe = read_recipe(RECIPE, [*paths, *overrides])
        assert isinstance(recipe, TTSRecipe)
        torch.manual_seed(seed)
        codec = build_codec(recipe.model.codec)
        write_tensors(recipe.codec, codec.state_dict())
        write_synthetic_latents(folder, codec.latent_dim, 4 * recipe.schedule.batch, seed)
        found: dict[str, Any] = {"steps": steps, "batch": recipe.schedule.batch, "threads": torch.get_num_threads()}
        for precision in precisions:
            trainer = _trainer(recipe, precision == "bfloat16")
            trainer.step(0, step_generator(recipe.schedule.seed, 0))
            device = trainer.accelerator.device
            began, own = time.perf_counter(), clock(device)
            for step in range(1, steps + 1):
                trainer.step(step, step_generator(recipe.schedule.seed, step))
            own, seconds = clock(device) - own, time.perf_counter() - began
            if "flops_per_step" not in found:
                found["parameters"] = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
                found["flops_per_step"] = _count(trainer, steps) / steps
            rows = [row for step in range(1, steps + 1) for row in trainer.order.rows(step)]
            peak = matrix_peak(device, getattr(torch, precision))
            found[precision] = {
                "steps_per_second": steps / seconds,
                "frames_per_second": int(trainer.training.lengths[rows].sum()) / seconds,
                "matrix_peak_flops": peak,
                "share_of_peak": found["flops_per_step"] * steps / own / peak,
            }
            found["device"] = str(device)
    return found


def _count(trainer: TTSTrainer, steps: int) -> int:
    with FlopCounterMode(display=False) as counter:
        for step in range(1, steps + 1):
            trainer.step(step, step_generator(trainer.schedule.seed, step))
    return counter.get_total_flops()
