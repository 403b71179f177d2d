"""The tiny recipes, from reading aloud to a student: each runs on what those before it made."""

from pathlib import Path

import pytest
import yaml

import calm_core
from calm_core.training.loop import train_recipe
from calm_core.training.synthesize import main_recipe

FOLDER = Path(calm_core.__file__).parent / "configs" / "tiny"
ORDER = ("codec", "codec_rvq", "continuation", "continuation_rq", "tts", "tts_student")


def test_every_tiny_recipe_is_in_the_chain() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(("corpus", *ORDER))


@pytest.mark.flite
@pytest.mark.timeout(300)
def test_the_chain_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a few steps each; all paths of the recipes are relative."""
    monkeypatch.chdir(tmp_path)
    made = main_recipe(FOLDER / "corpus.yaml", ["texts=16", "processes=1"])
    assert made["speakers"] == 10 and made["hours"] > 0.01
    for name in ORDER:
        recipe = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
        figures = train_recipe(
            FOLDER / f"{name}.yaml", ["schedule.steps=3", "schedule.batch=2", "schedule.bf16=false"], resume=False
        )
        assert figures and all(value == value for value in figures.values())
        weights = "codec" if recipe["kind"] == "codec" else "model"
        assert (tmp_path / recipe["folder"] / f"{weights}.safetensors").stat().st_size > 50_000
