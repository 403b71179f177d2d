"""Votes of the arena are records like all others: they come back from the journal, go into exports and backups."""

import csv
from pathlib import Path

import pytest
from sqlalchemy import select

from app.arena import pairs, records
from app.arena.records import Item
from app.db import open_records
from app.db.study_models import ComparisonRow, Event, Rater
from app.errors import UserError
from app.studies.administration import detail
from app.studies.create import create_study
from app.studies.export import export_study
from tests.arena.conftest import SYSTEMS, Ring, Visitor
from tests.studies.makers import study, write_folder


def test_votes_come_back_from_the_journal(ring: Ring, visitor: Visitor, tmp_path: Path) -> None:
    for outcome in ("a", "both_bad"):
        assert visitor.vote(visitor.pair(), outcome=outcome).status_code == 200
    with ring.database.read() as session:
        before = sorted(session.execute(select(ComparisonRow.id, ComparisonRow.outcome)).all())
        table = pairs.vote_table(session, SYSTEMS)
    again = open_records(f"sqlite:///{tmp_path / 'new.sqlite3'}", ring.settings.records_dir)
    with again.read() as session:
        assert sorted(session.execute(select(ComparisonRow.id, ComparisonRow.outcome)).all()) == before
        assert (pairs.vote_table(session, SYSTEMS).wins == table.wins).all()
        assert list(session.scalars(select(Event.kind))).count("both_bad") == 1
    # the arena's own rows are the same ones after a start over the new database
    again.transact(lambda session: records.install(session, ring.arena))
    with again.read() as session:
        assert len(list(session.scalars(select(Rater)))) == 1
    again.close()


def test_the_export_has_the_votes_with_names_and_items(ring: Ring, visitor: Visitor, tmp_path: Path) -> None:
    told = visitor.vote(visitor.pair(prompt="rain", voice="rms"), outcome="b").json()
    paths = export_study(ring.database, "arena", tmp_path / "out", formats=("csv",), anonymous=False)
    (votes,) = [path for path in paths if path.name.startswith("comparisons")]
    (row,) = list(csv.DictReader(votes.read_text(encoding="utf-8").splitlines()))
    names = [system["name"] for system in told["systems"]]
    assert (row["system_a"], row["system_b"], row["outcome"], row["item"]) == (*names, "b", "rain.rms")


def test_the_administration_shows_the_arena_like_a_study(ring: Ring, visitor: Visitor) -> None:
    visitor.vote(visitor.pair())
    shown = detail(ring.database, "arena")
    assert (shown["kind"], shown["state"], len(shown["sessions"])) == ("pairwise", "open", 1)
    assert sum(row["ratings"] for row in shown["results"][0]["rows"]) == 2


def test_no_study_takes_the_arenas_name(ring: Ring, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "study", study("mos", slug="arena"))
    for new_version in (False, True):
        with pytest.raises(UserError, match="belongs to a page"):
            create_study(ring.database, ring.settings.media_dir, folder, new_version=new_version)


def test_a_study_that_had_the_name_before_is_left_alone(ring: Ring, tmp_path: Path) -> None:
    def spoil(session: object) -> None:
        from app.studies.manage import find_study, newest_version

        version = newest_version(session, find_study(session, "arena"))  # pyright: ignore[reportArgumentType]
        version.yaml = "slug: arena\n"

    ring.database.transact(spoil)
    with pytest.raises(UserError, match="CALM_ARENA=0"):
        ring.database.transact(lambda session: records.install(session, ring.arena))


def test_a_typed_text_is_an_item_by_its_words_and_voice() -> None:
    one, same, other, voice = (
        Item.of("Hello.", "slt", None), Item.of("Hello.", "slt", None), Item.of("Hello!", "slt", None),
        Item.of("Hello.", "rms", None),
    )  # fmt: skip
    assert one == same and len({one.name, other.name, voice.name}) == 3
    assert one.name.startswith("typed-") and len(one.name) <= 60 and "Hello" not in one.name
    assert Item.of("Hello.", "slt", "greeting").name == "greeting.slt"
