"""The description of the samples: what is wrong with it is told in one sentence that names the key."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from app.errors import UserError
from app.samples.reports import figures_of, report_rows
from app.samples.schema import Figure, Report, System, Table, read_description
from tests.samples.makers import described, system, write


def fault(tmp_path: Path, table: dict[str, Any]) -> str:
    with pytest.raises(UserError) as told:
        read_description(write(tmp_path, table))
    return told.value.message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pionts": ["x"]}, "tables[0].pionts is not a key"),
        ({"points": []}, "tables[0].points cannot be used"),
        ({"prompts": {"kind": "stories", "count": 2, "seconds": 1.0}}, "tables[0].prompts.prompt_seconds is missing"),
        ({"report": {"path": "nowhere.md", "heading": "x"}}, "tables[0].report.path cannot be used: no file of this"),
        ({"report": {"path": "../README.md", "heading": "x"}}, "write its path from the repository's root"),
        ({"systems": [system("a"), system("a")]}, "two systems are called a"),
        ({"systems": [system("a"), system("b", temperature="0.8")]}, "tables[0].systems[1].temperature cannot be used"),
        ({"systems": [system("a"), system("b", recipe=None)]}, "a system with a model also needs recipe"),
        ({"systems": [system("a"), {"name": "b", "title": "B", "steps": 2}]}, "also needs model and task and recipe"),
        ({"systems": [system("a"), system("b", row="x")]}, "b names a row, and the table names no report"),
        ({"systems": [system("a"), system("b", figures={"fad": 1.0})]}, "b has the figure fad"),
        ({"systems": [system("a"), system("prompt")]}, "cannot be called prompt"),
        ({"systems": [system("a"), system("../b")]}, "tables[0].systems[1].name cannot be used: use letters"),
    ],
)
def test_a_fault_names_its_key(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    assert says in fault(tmp_path, {**described(), **changes})


def test_a_file_that_is_missing_or_no_yaml_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_description(tmp_path)
    (tmp_path / "samples.yaml").write_text("tables: [")
    with pytest.raises(UserError, match="is not YAML"):
        read_description(tmp_path)
    (tmp_path / "samples.yaml").write_text(yaml.safe_dump({"tables": [described(), described()]}))
    with pytest.raises(UserError, match="two tables are called small"):
        read_description(tmp_path)


REPORT = """# A report

## First

| system | ppx |
|--------|-----|
| other  | 1.0 |

## Second (table 2)

Words.

| system    | ppx     | vert | wer  |
|-----------|---------|------|------|
| real      | 78.523  | -    | nan  |
| mine at 1 | 184.101 | 19.5 | 46.4 |

| claim |
|-------|
| none  |
"""


def test_figures_are_those_of_the_row_below_the_heading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.samples import reports, schema

    (tmp_path / "report.md").write_text(REPORT)
    for module in (reports, schema):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    report = Report(path="report.md", heading="Second (table 2)")
    assert [row["system"] for row in report_rows(report)] == ["real", "mine at 1"]
    figures = [Figure(column=name, label=name, meaning=name) for name in ("ppx", "vert", "wer")]
    real, mine, later = (
        System(name=name, title="A", row=row) for name, row in (("a", "real"), ("b", "mine at 1"), ("c", "mine"))
    )
    table = described() | {"systems": [real, mine, later], "figures": figures, "report": report}
    table = Table.model_validate(table)
    assert figures_of(table, real) == {"ppx": 78.523}
    assert figures_of(table, mine) == {"ppx": 184.101, "vert": 19.5, "wer": 46.4}
    assert figures_of(table, later) == {}
    assert figures_of(table, mine.model_copy(update={"figures": {"wer": 2.0}}))["wer"] == 2.0
    with pytest.raises(UserError, match="no table below the heading 'Third'"):
        report_rows(Report(path="report.md", heading="Third"))
    wrong = table.model_copy(update={"figures": [Figure(column="fad", label="FAD", meaning="x")]})
    with pytest.raises(UserError, match=r"no column fad below .* name one of system, ppx"):
        figures_of(wrong, mine)
