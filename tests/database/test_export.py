"""Exports: the columns of the interface, every format with the same content, no formulas, nothing personal unasked."""

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from sqlalchemy import select

from app.__main__ import main
from app.db import Database, open_database
from app.db.models import now
from app.db.study_models import (
    Audit,
    ComparisonRow,
    Event,
    Flag,
    OpinionScoreRow,
    Rater,
    RaterSession,
    Stimulus,
    System,
    Trial,
    TrialStimulus,
)
from app.errors import UserError
from app.studies.export import export_study
from app.studies.sheets import as_said, neutral
from evaluation.records import Comparison, MushraScore, OpinionScore, columns
from tests.database.rows import Rows, add_session, add_study, add_trial, add_vote

EVIL = ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\t=1", "'=1", 'plain, "quoted"\nand é', "＝1"]


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def study(database: Database) -> Iterator[Rows]:
    """Three raters of a study with every kind of answer; the second one is excluded, the third one left."""
    with database.write() as session:
        rows = add_study(session)
        first = session.get(System, rows.systems[0])
        assert first
        first.name = EVIL[0]
        for number in range(3):
            sitting = add_session(session, rows, f"={number}+1")
            found = session.get_one(RaterSession, sitting)
            found.questionnaire_json = {"comment": EVIL[number + 1], "age": 30}
            found.completion_code = "SECRET"
            for position, phase in enumerate(("training", "main", "trap", "main")):
                trial = add_trial(session, rows, sitting, position)
                trial.phase, trial.served_at = phase, now()
                if number == 2 and position == 3:
                    continue  # served, never answered
                trial.answered_at, trial.listening_seconds = now(), 12.25
                add_vote(session, rows, trial, f"{number}/{position}", score=position + 0.5)
                pair = [rows.stimuli[system, trial.prompt_id] for system in rows.systems]
                session.add(
                    ComparisonRow(
                        trial_id=trial.id, attribute="better", outcome="b", stimulus_a_id=pair[0], stimulus_b_id=pair[1]
                    )
                )
                for attribute in ("natural", "clear"):
                    session.add(OpinionScoreRow(trial_id=trial.id, stimulus_id=pair[0], attribute=attribute, score=4))
                session.add(
                    Event(session_id=sitting, trial_id=trial.id, kind="play", client_ms=5.5, data_json={"s": 1})
                )
            if number == 1:
                rater = session.get_one(Rater, found.rater_id)
                rater.excluded_at, rater.excluded_reason = datetime(2026, 5, 1, tzinfo=UTC), EVIL[3]
                session.add(Audit(actor="admin", action="exclude", target=rater.id, reason=EVIL[3]))
                session.add(Flag(session_id=sitting, kind="trap_failed", detail_json={"wanted": "a"}))
        add_trial(session, rows, sitting, 4)  # planned, never served
        other = add_study(session, "another")
        add_vote(session, other, add_trial(session, other, add_session(session, other)), "other")
    yield rows


def test_the_inputs_of_the_evaluation_have_its_columns_and_only_what_counts(
    database: Database, study: Rows, tmp_path: Path
) -> None:
    export_study(database, "tones", tmp_path / "out")
    found = {path.name: rows_of(path) for path in (tmp_path / "out").glob("*.csv")}
    # two raters count, with two main trials each, one of which was never answered
    for name, kind, size in (
        ("comparisons.csv", Comparison, 3),
        ("mushra_scores.csv", MushraScore, 6),
        ("opinion_scores-natural.csv", OpinionScore, 3),
        ("opinion_scores-clear.csv", OpinionScore, 3),
    ):
        assert list(found[name][0]) == columns(kind), name
        assert len(found[name]) == size, name
    assert columns(Comparison)[:3] == ["system_a", "system_b", "outcome"]
    assert columns(OpinionScore) == ["rater", "system", "item", "score"]
    assert columns(MushraScore) == ["rater", "item", "system", "score"]
    assert {row["outcome"] for row in found["comparisons.csv"]} == {"b"}
    assert {as_said(row["system_a"]) for row in found["comparisons.csv"]} == {EVIL[0]}
    assert sorted({float(row["score"]) for row in found["mushra_scores.csv"]}) == [1.5, 3.5]
    assert {row["item"] for row in found["comparisons.csv"]} <= {"item 0", "item 1"}


def test_every_served_trial_and_every_person_is_there(database: Database, study: Rows, tmp_path: Path) -> None:
    export_study(database, "tones", tmp_path)
    trials = rows_of(tmp_path / "trials.csv")
    assert len(trials) == 12
    assert [row["position"] for row in trials[:4]] == ["0", "1", "2", "3"]
    assert [row["answered_at"] == "" for row in trials].count(True) == 1
    assert {row["listening_seconds"] for row in trials} == {"12.25", ""}
    assert all(datetime.fromisoformat(row["served_at"]).tzinfo for row in trials)
    assert trials[0]["systems"] == neutral(f"{EVIL[0]} | system 1")
    raters = rows_of(tmp_path / "raters.csv")
    assert len(raters) == 3 and [row["excluded_at"] != "" for row in raters].count(True) == 1
    assert sum(int(row["flags"]) for row in raters) == 1
    assert sorted(int(row["answered"]) for row in raters) == [3, 4, 4]
    assert len(rows_of(tmp_path / "answers.csv")) == 11 * (2 + 1 + 2)
    assert len(rows_of(tmp_path / "events.csv")) == 11 and len(rows_of(tmp_path / "flags.csv")) == 1
    (audit,) = rows_of(tmp_path / "audit.csv")
    assert as_said(audit["reason"]) == EVIL[3]


def test_no_cell_of_a_csv_is_a_formula(database: Database, study: Rows, tmp_path: Path) -> None:
    export_study(database, "tones", tmp_path)
    for path in tmp_path.glob("*.csv"):
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                for cell in row:
                    assert not cell.startswith(("=", "+", "@", "\t", "\r", "＝")), f"{path.name}: {cell}"
                    assert not cell.startswith("-") or float(cell) < 0
    assert {as_said(row["panel_id"]) for row in rows_of(tmp_path / "raters.csv")} == {"=0+1", "=1+1", "=2+1"}


@given(st.one_of(st.sampled_from(EVIL), st.text(st.sampled_from("'=+-@\t\r\na1 "), max_size=6), st.text(max_size=8)))
def test_taking_the_mark_away_gives_back_what_was_said(text: str) -> None:
    assert as_said(neutral(text)) == text
    assert not neutral(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_all_formats_hold_the_same(database: Database, study: Rows, tmp_path: Path) -> None:
    export_study(database, "tones", tmp_path, formats=("csv", "parquet", "json"))
    book = json.loads((tmp_path / "codebook.json").read_text())
    assert {entry["name"] for entry in book["files"]} == {path.stem for path in tmp_path.glob("*.csv")}
    for entry in book["files"]:
        names = [column["name"] for column in entry["columns"]]
        assert all(column["meaning"].endswith(".") and column["type"] for column in entry["columns"])
        table = parquet.read_table(tmp_path / f"{entry['name']}.parquet")
        objects = json.loads((tmp_path / f"{entry['name']}.json").read_text())
        cells = rows_of(tmp_path / f"{entry['name']}.csv")
        assert table.column_names == names == (list(cells[0]) if cells else names)
        assert table.num_rows == len(objects) == len(cells) == entry["rows"]
        for typed, spoken, row in zip(table.to_pylist(), objects, cells, strict=True):
            for name in names:
                value = typed[name]
                assert (value.isoformat() if isinstance(value, datetime) else value) == spoken[name]
                if isinstance(value, str):
                    assert as_said(row[name]) == value
                elif isinstance(value, int | float) and not isinstance(value, bool):
                    assert float(row[name]) == value
                elif value is None:
                    assert row[name] == ""
    assert book["versions"][0]["yaml"] == "slug: tones\n" and "'" in book["text_cells_in_csv"]


def test_an_anonymous_export_names_nobody(database: Database, study: Rows, tmp_path: Path) -> None:
    out = tmp_path / "out"  # apart from the database, which names everybody
    export_study(database, "tones", out, formats=("csv", "parquet", "json"), anonymous=True)
    everything = b"".join(path.read_bytes() for path in out.iterdir())
    for said in (b"SECRET", b"=0+1", b"=2+1"):
        assert said not in everything
    assert len(rows_of(out / "raters.csv")) == 3


def test_the_reference_that_is_given_stands_apart(database: Database, study: Rows, tmp_path: Path) -> None:
    with database.write() as session:
        trial = session.scalars(select(Trial).where(Trial.position == 0)).first()
        assert trial
        stimulus = session.scalars(select(Stimulus).where(Stimulus.prompt_id == trial.prompt_id)).first()
        assert stimulus
        session.add(TrialStimulus(trial_id=trial.id, stimulus_id=stimulus.id, slot=2, is_reference_given=True))
        key = trial.id
    export_study(database, "tones", tmp_path)
    (row,) = [row for row in rows_of(tmp_path / "trials.csv") if row["trial"] == key]
    assert row["reference_given"] and row["systems"].count("|") == 1


def test_an_empty_study_exports(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        add_study(session)
    export_study(database, "tones", tmp_path, formats=("csv", "parquet", "json"))
    assert rows_of(tmp_path / "trials.csv") == [] and parquet.read_table(tmp_path / "trials.parquet").num_rows == 0


def test_what_cannot_be_exported_is_told(database: Database, study: Rows, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are: another, tones"):
        export_study(database, "nobody", tmp_path)
    with pytest.raises(UserError, match="choose csv"):
        export_study(database, "tones", tmp_path, formats=("xls",))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another folder"):
        export_study(database, "tones", tmp_path / "file")


def test_the_commands(
    new_address: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALM_DATA_DIR", str(tmp_path / "data"))
    url = new_address()
    monkeypatch.setenv("CALM_DATABASE_URL", url)
    database = open_database(new_address())
    database.close()
    assert main(["export", "--study", "tones", "--out", "out"]) == 2
    assert capsys.readouterr().err.startswith("error: There is no study 'tones'")
    database = open_database(url)
    with database.write() as session:
        rows = add_study(session)
        add_vote(session, rows, add_trial(session, rows, add_session(session, rows)), "key")
    database.close()
    assert main(["export", "--study", "tones", "--out", "out", "--format", "json", "--format", "csv"]) == 0
    shown = capsys.readouterr().out.split()
    assert "out/mushra_scores.csv" in shown and all(Path(path).is_file() for path in shown)
    assert main(["backup", "--out", "kept.zip"]) == 0
    assert capsys.readouterr().out.split() == ["kept.zip"]
    assert main(["restore", "kept.zip"]) == 2
    assert "--replace" in capsys.readouterr().err
    assert main(["restore", "kept.zip", "--replace"]) == 0
    for wrong in ([], ["nothing"]):
        assert main(wrong) == 2
    for wrong in (["export"], ["export", "--study", "a", "--out", "b", "--format", "xls"], ["restore"]):
        with pytest.raises(SystemExit) as left:
            main(wrong)
        assert left.value.code == 2
    assert main(["--help"]) == 0 and "export" in capsys.readouterr().out
