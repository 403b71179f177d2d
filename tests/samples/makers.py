"""Small descriptions of samples."""

from pathlib import Path
from typing import Any

import yaml

RECIPE = "calm_core/configs/tiny/continuation.yaml"


def system(name: str, **changes: Any) -> dict[str, Any]:
    values = {"name": name, "title": name, "model": "tiny", "task": "speech_continuation", "recipe": RECIPE}
    return {key: value for key, value in {**values, **changes}.items() if value is not None}


def described(**changes: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "title": "Small",
        "points": ["Listen."],
        "prompts": {"kind": "stories", "count": 1, "prompt_seconds": 1.04, "seconds": 1.04},
        "systems": [system("low", temperature=0.3), {"name": "real", "title": "Real"}],
        **changes,
    }


def write(folder: Path, *tables: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "samples.yaml").write_text(yaml.safe_dump({"tables": list(tables)}))
    return folder
