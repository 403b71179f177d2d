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
