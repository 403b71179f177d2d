"""Two processes train what one trains: the same losses, the same weights, one checkpoint."""

import contextlib
import csv
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from calm_core.training.loop import train_recipe
from tests.calm_core.training.tiny_runs import SCHEDULE, codec_recipe, tts_recipe, write

pytestmark = pytest.mark.long

STEPS = {**SCHEDULE, "steps": 3, "batch": 8, "log_every": 1, "warmup": 0}


@pytest.fixture(scope="module")
def pair(corpus: Path, trained_codec: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of runs: `one` process in this one, `two` in a launched pair."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("one", "two")}
    for where in folders.values():
        talk = tts_recipe(corpus, trained_codec, where / "tts" / "run")
        write(where / "1-tts.yaml", {**talk, "schedule": {**STEPS, "accumulate": 4}})
        code = codec_recipe(corpus, where / "codec", schedule=STEPS, adversarial_from=100)
        write(where / "2-codec.yaml", code)
    for recipe in ("1-tts.yaml", "2-codec.yaml"):
        train_recipe(folders["one"] / recipe, [], resume=False)
    bad = codec_recipe(corpus, folders["two"] / "bad", schedule={**STEPS, "learning_rate": 1e30, "clip": 1e30})
    write(folders["two"] / "3-bad.yaml", bad)
    launch(2, ["-m", "tests.calm_core.training.two_processes", str(folders["two"])], folders["two"])
    return folders


def launch(count: int, arguments: list[str], folder: Path) -> None:
    """What torchrun does on one machine: `count` processes that find each other; they speak to files in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {
        **os.environ, "ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    with contextlib.ExitStack() as stack:
        out, err = (stack.enter_context(open(folder / name, "w+", encoding="utf-8")) for name in ("stdout", "stderr"))
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, *arguments],
                    env={**world, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                    stdout=out,
                    stderr=err,
                )
            )
            for rank in range(count)
        ]
        for process in started:
            stack.callback(process.kill)
        while None in [process.poll() for process in started]:
            time.sleep(0.05)
        assert [process.returncode for process in started] == [0] * count, (folder / "stderr").read_text()[-3000:]


def curves(folder: Path) -> dict[tuple[str, str], float]:
    with open(folder / "curves.csv", encoding="utf-8") as lines:
        rows = [r for r in csv.DictReader(lines) if r["name"] != "steps_per_second"]
    return {(r["step"], r["name"]): float(r["value"]) for r in rows}


@pytest.mark.parametrize("run", ["tts/run", "codec"])
def test_two_processes_train_what_one_does(pair: dict[str, Path], run: str) -> None:
    one, two = (curves(pair[name] / run) for name in ("one", "two"))
    assert one.keys() == two.keys() and len(one) > 9
    assert two == pytest.approx(one, rel=2e-4, abs=2e-5)
    files = ("checkpoint/model-3.safetensors",) if run == "tts/run" else ("checkpoint/codec-3.safetensors",)
    for file in files:
        a, b = (load_file(pair[name] / run / file) for name in ("one", "two"))
        assert a.keys() == b.keys()
        for name in a:
            torch.testing.assert_close(b[name], a[name], rtol=1e-3, atol=2e-5, msg=name)


def test_only_the_first_process_speaks_and_both_stop_together(pair: dict[str, Path]) -> None:
    said = (pair["two"] / "stderr").read_text()
    assert said.count("step 3/3") == 2  # two recipes, one voice
    assert (pair["two"] / "stdout").read_text().count("statuses [0, 0, 2]") == 2
    assert "is not finite at step" in said and "there is no checkpoint yet" in said


def test_a_checkpoint_of_a_cut_module_is_whole(pair: dict[str, Path]) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 1))
    optimizer = torch.optim.AdamW(module.parameters(), 0.1)
    module(torch.ones(2, 3)).square().mean().backward()
    optimizer.step()
    for name, tensor in load_file(pair["two"] / "cut" / "model-1.safetensors").items():
        torch.testing.assert_close(tensor, module.state_dict()[name])
