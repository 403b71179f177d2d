"""The house's import directions (see CONTRIBUTING.md), read from the source with `ast`."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "calm_core", "evaluation")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

# A module may import what stands in its own layer's row or in a row above it.
LAYERS = (
    ("errors", "config", "types", "state", "audio", "sound_files", "text"),
    ("nn",),
    ("codecs", "conditioners", "heads", "backbone", "short_context", "text_stream"),
    ("model", "audio_lm", "weights", "hub"),
    ("voices",),
    ("generate", "continuation"),
    ("scheduler", "catalogue", "clap"),
    ("tasks", "training"),
    ("cli", "cli_output", "__main__"),
)
LEVEL = {name: level for level, row in enumerate(LAYERS) for name in row}
STRANGERS = ("codecs", "conditioners", "heads")  # never import each other
# What evaluation may take of calm_core beside the public package itself, and from where.
PUBLIC = {"calm_core", "calm_core.errors", "calm_core.text", "calm_core.audio"}
# The sampler benchmark times parts of models that no task offers at the paper's sizes; that of training, whole steps.
TIMED = {"calm_core.backbone", "calm_core.config", "calm_core.heads", "calm_core.nn.packed"}
TIMED |= {"calm_core.training.measure"}
STATISTICIANS = ("board", "arena")  # the parts of the app that compute results of votes
CORPUS = {"calm_core.training.speakers", "calm_core.training.synthesize", "calm_core.training.data"}
CORPUS |= {"calm_core.clap.retrieval"}  # what is a hit is one thing, in training and in the report


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path, top_level_only: bool = False) -> Iterator[str]:
    """Every module that a file imports, as full dotted names; `from package import module` gives both readings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.iter_child_nodes(tree) if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.relative_to(ROOT)}:{node.lineno} imports relatively; write the full name"
            assert node.module
            yield node.module
            for alias in node.names:
                if (ROOT / node.module.replace(".", "/") / f"{alias.name}.py").is_file():
                    yield f"{node.module}.{alias.name}"


def broken_rules(path: Path) -> Iterator[str]:
    name = module_name(path)
    package, _, rest = name.partition(".")
    part = rest.split(".")[0]
    for imported in imports(path):
        target, _, below = imported.partition(".")
        inner = below.split(".")[0]
        if package == "calm_core":
            if target in ("app", "evaluation"):
                yield f"{name} imports {imported}: the engine knows nothing above it"
            if target == "calm_core" and inner in LEVEL and part in LEVEL:
                if LEVEL[inner] > LEVEL[part]:
                    yield f"{name} imports {imported}, which stands above it"
                if {part, inner} <= set(STRANGERS) and part != inner:
                    yield f"{name} imports {imported}: codecs, conditioners and heads are strangers"
                if {part, inner} == {"tasks", "training"}:
                    yield f"{name} imports {imported}: only cli joins tasks and training"
        if package == "evaluation" and target == "app":
            yield f"{name} imports {imported}: evaluation does not know the app"
        if package == "evaluation" and target == "calm_core":
            if part not in ("metrics", "benchmarks", "bundled"):
                yield f"{name} imports {imported}: the statistics half needs no engine"
            elif imported not in PUBLIC | {"bundled": CORPUS, "benchmarks": TIMED}.get(part, set()):
                yield f"{name} imports {imported}, which is not public"
        if package == "app":
            if target == "evaluation" and part not in STATISTICIANS and not (part == "db" and inner == "records"):
                yield f"{name} imports {imported}: statistics are for app.board and app.arena, records for app.db"
            if target == "evaluation" and inner in ("metrics", "benchmarks", "bundled"):
                yield f"{name} imports {imported}: the app measures no sounds"
            if part == "pages" and (target == "calm_core" or imported.startswith("app.db")):
                yield f"{name} imports {imported}: pages import services"
            if part == "db" and target == "gradio":
                yield f"{name} imports gradio: storage does not know the page"


def test_every_part_of_the_engine_has_its_layer() -> None:
    parts = {
        path.relative_to(ROOT / "calm_core").parts[0].removesuffix(".py") for path in FILES if "calm_core" in path.parts
    }
    assert parts - {"__init__"} <= set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_follow_the_house(path: Path) -> None:
    assert not list(broken_rules(path))


@pytest.mark.parametrize("path", [path for path in FILES if "evaluation" in path.parts], ids=module_name)
def test_evaluation_imports_no_torch_when_it_is_imported(path: Path) -> None:
    assert "torch" not in {name.partition(".")[0] for name in imports(path, top_level_only=True)}


def test_nothing_imports_the_composition_root() -> None:
    assert not [path for path in FILES if "app.app" in imports(path)]
    assert len((ROOT / "app.py").read_text(encoding="utf-8").splitlines()) < 60


def test_what_the_packages_import_at_start_is_installed_by_the_requirements() -> None:
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").lower()
    distributions = {"yaml": "pyyaml", "huggingface_hub": "huggingface-hub", "pydantic_settings": "pydantic-settings"}
    measured_only = {"jiwer", "pocketsphinx", "resemblyzer", "pesq", "pystoi", "visqol"}  # loaded by name, on demand
    for path in FILES:
        if "training" in path.parts:
            continue  # training asks for requirements-dev.txt
        for top in {name.partition(".")[0] for name in imports(path, top_level_only=True)}:
            if top not in sys.stdlib_module_names and top not in (*PACKAGES, *measured_only):
                assert f"\n{distributions.get(top, top)}==" in pins, f"{module_name(path)} imports {top}"


@pytest.mark.parametrize(
    "path", [*FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_files_stay_readable_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
