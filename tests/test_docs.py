"""The documents say what is there: files, commands, options, links, pins and model cards."""

import importlib.util
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CARDS = sorted((ROOT / "assets").rglob("README.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *CARDS]
MADE = {".git", ".venv", "venv", ".gradio", ".hypothesis", "data", "runs", "checkpoints", "build", "dist"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fenced(text: str, language: str) -> list[str]:
    """The lines of all code blocks of a language."""
    return [line for block in re.findall(rf"```{language}\n(.*?)```", text, re.S) for line in block.splitlines()]


def repository_files() -> Iterator[Path]:
    """Every file but those that running the project makes."""
    for folder, folders, names in os.walk(ROOT):
        made = MADE if Path(folder) == ROOT else set()
        folders[:] = [
            name for name in folders if name not in made and not name.endswith(("cache__", "_cache", ".egg-info"))
        ]
        yield from (Path(folder) / name for name in names)


def documented_commands() -> list[str]:
    """Every `python -m ...` line or inline command of the documents."""
    inline = [
        code for path in DOCUMENTS for code in re.findall(r"`(python -m [^`]+)`", path.read_text(encoding="utf-8"))
    ]
    lines = [line for path in DOCUMENTS for line in fenced(path.read_text(encoding="utf-8"), "sh")]
    return sorted({command for command in inline + lines if command.startswith("python -m")})


def tree_entries(text: str) -> Iterator[tuple[str, bool]]:
    """Paths of the README's file tree and whether each is a folder shown without its contents."""
    (block,) = re.findall(r"```text\n(.*?)```", text, re.S)
    rows = [(len(line) - len(line.lstrip()), line.split()[0]) for line in block.splitlines() if line.strip()]
    above: list[tuple[int, str]] = []
    for number, (indent, name) in enumerate(rows):
        while above and above[-1][0] >= indent:
            above.pop()
        opened = number + 1 < len(rows) and rows[number + 1][0] > indent
        yield "".join(part for _, part in above) + name, name.endswith("/") and not opened
        above.append((indent, name))


def test_the_space_header_agrees_with_the_repository() -> None:
    header = yaml.safe_load(README.split("---")[1])
    pins = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line)
    assert header["sdk"] == "gradio" and header["sdk_version"] == pins["gradio"]
    assert (ROOT / header["app_file"]).is_file()
    assert header["license"] == "mit" and "MIT License" in (ROOT / "LICENSE").read_text()
    assert len(header["short_description"]) <= 60


def test_the_readme_has_exactly_two_commands_and_their_files_exist() -> None:
    lines = fenced(README, "sh")
    assert len(lines) == 2 and "```bash" not in README and "```console" not in README
    for line in lines:
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install -r requirements.txt")
        for name in re.findall(r"-r (\S+)", line):
            assert (ROOT / name).is_file()
    assert lines[0].endswith(".venv/bin/python app.py") and (ROOT / "app.py").is_file()
    assert lines[1].endswith(".venv/bin/python -m pytest")


def test_the_file_tree_is_the_tree() -> None:
    entries = list(tree_entries(README))
    assert len(entries) == len(set(entries))
    summarised = {path for path, folded in entries if folded}
    listed = {path for path, folded in entries if not folded and not path.endswith("/")}
    for path in listed:
        assert (ROOT / path).is_file(), f"README lists {path}"
    for path in summarised:
        assert (ROOT / path).is_dir(), f"README lists {path}"
    there = {relative(path) for path in repository_files()}
    described = {path for path in there if path in listed or any(path.startswith(folder) for folder in summarised)}
    missing = sorted(path for path in there - described if path.endswith(".py") or "/" not in path)
    missing = [path for path in missing if not path.endswith("/__init__.py")]  # its phrase stands at its folder
    assert not missing, f"README's tree lacks {missing}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_links_and_pictures_resolve(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
    for target in targets:
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{relative(path)} links to {target}"


@pytest.mark.parametrize("command", documented_commands())
def test_a_documented_command_exists_with_its_options(command: str) -> None:
    words = shlex.split(command.split(" | ")[0].split(" > ")[0])
    module, rest = words[2], words[3:]
    assert importlib.util.find_spec(module) is not None
    options = {word.partition("=")[0] for word in rest if word.startswith("--")}
    names = [word for word in rest if re.fullmatch(r"[a-z][a-z-]*", word)]
    if module == "calm_core" and names:
        from calm_core.cli import app

        shown = CliRunner().invoke(app, [names[0], "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
        assert shown.exit_code == 0, shown.output
        assert options <= set(re.findall(r"--[a-z][a-z-]*", shown.output))
    elif module == "evaluation" and names:
        import argparse

        from evaluation.bundled import command as bundled
        from evaluation.commands import calibrate, elo, mos, mushra, power
        from evaluation.metrics import attributes_command as attributes
        from evaluation.metrics import command as metrics
        from evaluation.reproduction import command as reproduce

        parser = argparse.ArgumentParser()
        modules = {"metrics": metrics, "bundled": bundled, "elo": elo, "mos": mos, "mushra": mushra}
        modules |= {"calibrate": calibrate, "power": power, "reproduce": reproduce, "attributes": attributes}
        modules[names[0]].add_arguments(parser)
        if names[0] in ("bundled", "reproduce"):
            (reports,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
            parser = reports.choices[names[1]]
        assert options <= set(parser._option_string_actions)
    elif module == "evaluation.benchmarks" and names:
        from evaluation.benchmarks.__main__ import benchmark_names

        assert names[0] in benchmark_names()


def test_no_machine_path_or_registry_host_is_written_anywhere() -> None:
    forbidden = re.compile(
        "/(?:work|opt/calm|root|home/[a-z]+)/|" + "|".join(("pypi" + r"\.org", "pythonhosted" + r"\."))
    )
    texts = {".py", ".md", ".toml", ".txt", ".yaml", ".js", ".css", ".html", ".json"}
    for path in repository_files():
        if path.suffix in texts and path != Path(__file__):
            found = forbidden.search(path.read_text(encoding="utf-8"))
            assert not found, f"{relative(path)} holds {found.group() if found else ''}"


def test_every_bundled_model_has_a_card() -> None:
    for checkpoint in (ROOT / "assets").rglob("model.safetensors"):
        assert checkpoint.with_name("README.md") in CARDS, f"{relative(checkpoint)} has no README.md beside it"


@pytest.mark.parametrize("path", [card for card in CARDS if (card.parent / "model.safetensors").exists()], ids=relative)
def test_a_model_card_says_what_it_must(path: Path) -> None:
    text = path.read_text(encoding="utf-8").lower()
    headings = " ".join(re.findall(r"^#+ (.*)$", text, re.M))
    for subject in ("data", "recipe", "figures", "licence", "limits"):
        assert subject in headings, f"{relative(path)} has no heading on {subject}"
    assert re.search(r"\d[\d,]* steps", text), f"{relative(path)} does not say how many steps"
