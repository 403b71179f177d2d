"""Files in, files out: the statistics' commands and what they refuse."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.__main__ import main

VOTES = "system_a,system_b,outcome\nx,y,a\ny,z,tie\nx,z,b\n"


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Run a command on a text and give its status and its one line of error."""

    def run(command: str, content: str | bytes, *options: str) -> tuple[int, str]:
        path = tmp_path / "in.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        status = main([command, str(path), "--out", str(tmp_path / "out.csv"), *options])
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
        assert len(errors) == (status != 0)
        return status, errors[0] if errors else ""

    return run


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_elo_writes_the_columns_of_the_interface(said, tmp_path: Path) -> None:
    assert said("elo", VOTES)[0] == 0
    (text,) = (tmp_path / "out.csv").read_text().splitlines()[:1]
    assert text == "system,elo,ci_low,ci_high,rank,wins,losses,ties,comparisons"
    best = rows(tmp_path / "out.csv")[0]
    assert best["system"] == "z" and best["rank"] == "1"
    assert [best[name] for name in ("wins", "losses", "ties", "comparisons")] == ["1", "0", "1", "2"]
    assert float(best["ci_low"]) < float(best["elo"]) < float(best["ci_high"])


@pytest.mark.parametrize("method", ["gibbs", "hierarchical"])
def test_elo_by_sampling_repeats_itself_and_writes_details(method: str, said, tmp_path: Path) -> None:
    votes = "rater,item,system_a,system_b,outcome\n" + "".join(
        f"r{k % 5},i{k},{'xy' if k % 2 else 'yx'}".replace("xy", "x,y").replace("yx", "y,x") + f",{'aab'[k % 3]}\n"
        for k in range(30)
    )
    details = tmp_path / "details.json"
    outputs = []
    for _ in range(2):
        assert said("elo", votes, "--method", method, "--seed", "4", "--details", str(details))[0] == 0
        outputs.append((tmp_path / "out.csv").read_bytes())
    assert outputs[0] == outputs[1]
    found = json.loads(details.read_text())
    assert found["convergence"]["r_hat"] <= 1.01 and found["systems"] == ["x", "y"]
    assert np.array(found["probability_above"]).shape == (2, 2)
    assert (set(found.get("reliability", {})) == {f"r{k}" for k in range(5)}) == (method == "hierarchical")


def test_votes_of_nobody_give_an_empty_table(said, tmp_path: Path) -> None:
    for method in ("fixed-point", "gibbs"):
        assert said("elo", "system_a,system_b,outcome\n", "--method", method)[0] == 0
        assert rows(tmp_path / "out.csv") == []


def test_spreadsheets_quirks_are_understood(said, tmp_path: Path) -> None:
    content = '\ufeffOutcome, System_A ,system_b,note\r\na,"NA, big",y,é\r\n'
    assert said("elo", content)[0] == 0
    assert {row["system"] for row in rows(tmp_path / "out.csv")} == {"NA, big", "y"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("system_a,outcome\nx,a\n", "row 1: no column 'system_b'"),
        (VOTES + "x,y,A\n", "row 5, column outcome: 'A' is none of a, b, tie"),
        (VOTES + "x,x,a\n", "row 5, column system_b: 'x' is compared with itself"),
        (VOTES + "x,,a\n", "row 5, column system_b: the cell is empty"),
        (VOTES + "NaN,x,a\n", "row 5, column system_a: the cell is empty"),
        (VOTES + "x,y\n", "row 5, column outcome"),
        (VOTES + "x,y,a,b,c\n", "row 5: 5 columns where the header names 3"),
        (VOTES.encode() + b"x,caf\xe9,a\n", "row 5, column system_b: byte 0xe9 is no UTF-8"),
        (VOTES.encode("utf-16"), "no UTF-8"),
        (b"", "is empty"),
        ("system_a,system_b,outcome,outcome\nx,y,a,b\n", "'outcome' is there twice"),
        ("system_a,system_b,outcome,weight\nx,y,a,1\nx,y,a,-2\n", "row 3, column weight"),
        ("system_a,system_b,outcome,weight\nx,y,a,inf\n", "row 2, column weight"),
        (
            "rater,item,system_a,system_b,outcome\nr,i,x,y,a\nr,j,x,y,a\nr,i,y,x,b\n",
            "row 4, column item: this rater judged this item and pair before",
        ),
    ],
)
def test_bad_votes_are_one_line_that_names_the_place(content: str | bytes, says: str, said) -> None:
    status, line = said("elo", content)
    assert status == 2 and says in line


def test_duplicates_can_be_kept_or_dropped(said, tmp_path: Path) -> None:
    votes = "rater,item,system_a,system_b,outcome\nr,i,x,y,a\nr,i,y,x,b\n,i,x,y,a\n,i,x,y,a\n"
    for choice, left in (("keep", "4"), ("first", "3")):
        assert said("elo", votes, "--duplicates", choice)[0] == 0
        assert rows(tmp_path / "out.csv")[0]["comparisons"] == left


def test_a_missing_folder_is_refused_before_any_work(said, tmp_path: Path) -> None:
    status, line = said("elo", VOTES, "--details", str(tmp_path / "no" / "d.json"))
    assert status == 2 and "There is no folder" in line
    assert main(["elo", str(tmp_path / "none.csv"), "--out", str(tmp_path / "out.csv")]) == 2


def test_mos_writes_the_columns_of_the_interface(said, tmp_path: Path) -> None:
    ratings = "rater,system,item,score\nr1,x,i,4\nr2,x,i,5\nr1,y,i,2\nr2,y,i,2\nr3,y,j,1\n"
    tests = tmp_path / "tests.csv"
    for interval in ("clustered", "bootstrap", "plain"):
        assert said("mos", ratings, "--interval", interval, "--tests", str(tests))[0] == 0
    assert (tmp_path / "out.csv").read_text().startswith("system,mean,ci_low,ci_high,ratings,raters\n")
    best, other = rows(tmp_path / "out.csv")
    assert (best["system"], best["mean"], best["ratings"], best["raters"]) == ("x", "4.5", "2", "2")
    assert (other["system"], other["raters"]) == ("y", "3")
    assert rows(tests)[0]["difference"] == "2.5"


def test_one_rating_has_a_mean_and_no_interval(said, tmp_path: Path) -> None:
    assert said("mos", "rater,system,item,score\nr1,x,i,4\n")[0] == 0
    assert rows(tmp_path / "out.csv")[0]["ci_low"] == ""


def test_mushra_writes_the_columns_of_the_interface_and_who_was_excluded(said, tmp_path: Path) -> None:
    lines = ["rater,item,system,score"]
    for r in range(4):
        for i in range(5):
            reference = 50 if r == 3 and i < 2 else 98
            lines += [f"r{r},i{i},ref,{reference}", f"r{r},i{i},mid,{40 + r}", f"r{r},i{i},new,{70 + i}"]
    excluded, tests = tmp_path / "excluded.csv", tmp_path / "tests.csv"
    names = ("--reference", "ref", "--mid-anchor", "mid")
    options = (*names, "--excluded", str(excluded), "--tests", str(tests))
    assert said("mushra", "\n".join(lines) + "\n", *options)[0] == 0
    assert (tmp_path / "out.csv").read_text().startswith("system,median,q1,q3,mean,ci_low,ci_high,ratings\n")
    assert [(row["system"], row["median"], row["ratings"]) for row in rows(tmp_path / "out.csv")] == [
        ("ref", "98", "15"),
        ("new", "72", "15"),
        ("mid", "41", "15"),
    ]
    (gone,) = rows(excluded)
    assert gone["rater"] == "r3" and float(gone["share"]) == 0.4 and list(gone) == ["rater", "rule", "share"]
    assert len(rows(tests)) == 3
    status, line = said("mushra", "\n".join(lines) + "\n", "--reference", "ref", "--mid-anchor", "low")
    assert status == 2 and "No row has the mid anchor 'low'" in line


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("r,x,i,NaN", "row 3, column score: 'NaN' is no number"),
        ("r,x,i,", "row 3, column score"),
        ("r,x,i,6", "row 3, column score: 6 is off the scale, 1 to 5"),
        ("r,x,i,3", "row 3, column score: this rater scored this system on this item before"),
        (",x,i,3", "row 3, column rater: the cell is empty"),
    ],
)
def test_bad_scores_are_one_line_that_names_the_place(row: str, says: str, said) -> None:
    status, line = said("mos", f"rater,system,item,score\nr,x,i,4\n{row}\n")
    assert status == 2 and says in line
