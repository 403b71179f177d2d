"""Real music as its authors lay it out, made here in their layouts, to a corpus that trainers read."""

import csv
import gc
import io
import json
import os
import signal
import tarfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf

import calm_core.training.data
from calm_core.cli import main
from calm_core.errors import InputError
from calm_core.training.data import Corpus
from calm_core.training.faults import Faults
from calm_core.training.recordings.collect import collect, read_collect_recipe, split_of
from calm_core.training.recordings.found import Found
from calm_core.training.recordings.music_tags import attributes, captions
from calm_core.training.sources import found
from tests.calm_core.training.test_sources import add, sound, source
from tests.calm_core.training.tiny_runs import write

RATE = 16_000


def tone(pitch: float, seconds: float, channels: int = 1) -> np.ndarray:
    time = np.arange(int(seconds * 44_100)) / 44_100
    return np.repeat((0.3 * np.sin(2 * np.pi * pitch * time))[:, None], channels, axis=1)


def put(path: Path, pitch: float, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, tone(pitch, seconds, 2), 44_100, format=path.suffix[1:].upper())
    return path


def heard(samples: Any) -> float:
    """The pitch of a piece, Hz."""
    part = np.asarray(samples[:RATE])
    return float(np.abs(np.fft.rfft(part)).argmax()) * RATE / len(part)


def fma(folder: Path) -> Path:
    """Five tracks with the columns that are read, among others, and a cell as long as a biography."""
    columns = [
        ("album", "title"), ("artist", "bio"), ("artist", "id"), ("artist", "name"), ("set", "split"),
        ("set", "subset"), ("track", "genre_top"), ("track", "genres_all"), ("track", "license"), ("track", "title"),
    ]  # fmt: skip
    rows = [
        [2, "A", "b" * 200_000, 1, "Ann", "training", "small", "Hip-Hop", "[21]", "CC-BY", "Food"],
        [5, "A", "", 1, "Ann", "validation", "medium", "", "[21, 12]", "CC-BY", "This"],
        [10, "B", "", 6, "Kurt", "test", "small", "Pop", "[10]", "CC-BY-NC", "Freeway"],
        [140, "C", "", 54, "Ole", "training", "large", "Folk", "[]", "", "Queen"],
        [1039, "D", "", 7, "Eva", "training", "small", "", "[]", "", "Nameless"],
    ]
    metadata = folder / "fma_metadata"
    metadata.mkdir(parents=True)
    with open(metadata / "tracks.csv", "w", newline="") as file:
        table = csv.writer(file)
        upper, lower = zip(*columns, strict=True)
        table.writerows([["", *upper], ["", *lower], ["track_id", *[""] * len(columns)], *rows])
    genres = "genre_id,#tracks,parent,title,top_level\n21,8,0,Hip-Hop,21\n12,9,0,Rock,12\n10,3,0,Pop,10\n"
    (metadata / "genres.csv").write_text(genres)
    for number, seconds in ((2, 2.5), (5, 1.0), (10, 1.0), (140, 1.0), (1039, 1.0)):
        put(folder / "fma_large" / f"{number // 1000:03d}" / f"{number:06d}.mp3", 200.0 + number, seconds)
    return folder


def jamendo(folder: Path) -> list[Path]:
    head = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\n"
    tables = {
        "train": "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6\tgenre---punkrock\tinstrument---"
        "electricguitar\tinstrument---drums\tmood/theme---energetic\n",
        "validation": "track_0000215\tartist_000015\talbum_000032\t15/215.mp3\t151.4\tmood/theme---calm\n",
        "test": "track_0000216\tartist_000016\talbum_000033\t16/216.mp3\t10.0\n",
    }
    for number in (214, 215, 216):
        put(folder / f"{number % 100}" / f"{number}.low.mp3", 2.0 * number, 1.0)
    for name, rows in tables.items():
        (folder / f"autotagging-{name}.tsv").write_text(head + rows)
    return [folder / f"autotagging-{name}.tsv" for name in tables]


def musiccaps(folder: Path) -> Path:
    rows = [
        ["-0Gj8-vB1q4", 30, 40, "/m/0140xf", "['ballad', 'sad']", "A sad ballad,\nslowly sung.", 4, "False", "True"],
        ["gone0000000", 0, 10, "/m/04rlf", "['pop']", "Gone.", 4, "False", "False"],
        ["-1LrH01Ei1w", 30, 40, "/m/02p0sh1", "['piano']", "A piano plays.", 0, "False", "False"],
    ]
    columns = "ytid start_s end_s audioset_positive_labels aspect_list caption author_id is_balanced_subset"
    folder.mkdir(parents=True)
    with open(folder / "musiccaps-public.csv", "w", newline="") as file:
        csv.writer(file).writerows([[*columns.split(), "is_audioset_eval"], *rows])
    put(folder / "-0Gj8-vB1q4.wav", 300, 1.0)
    put(folder / "-1LrH01Ei1w.flac", 400, 1.0)
    return folder / "musiccaps-public.csv"


def dataset(folder: Path, genres: Any = ([1, 0], None), names: Any = ("a", "b")) -> Path:
    """A parquet file with columns of music; genres are lists of labels, as in copies of FMA on the Hub."""
    folder.mkdir(parents=True)
    sounds = []
    for pitch in (300, 400):
        file = io.BytesIO()
        sf.write(file, tone(pitch, 1.0), 44_100, format="FLAC")
        sounds.append({"bytes": file.getvalue(), "path": f"{pitch}.flac"})
    table = pa.table({
        "sound": sounds, "name": list(names), "genres": pa.array(genres, pa.list_(pa.int64())),
        "moods": ["calm, dark", ""], "by": ["Ann", None],
        "says": pa.array([["It is calm."], []], pa.list_(pa.string())),
    })  # fmt: skip
    text, labels = {"dtype": "string", "_type": "Value"}, {"names": ["Pop", "Folk"], "_type": "ClassLabel"}
    features = {
        "sound": {"_type": "Audio"}, "name": text, "genres": {"feature": labels, "_type": "List"}, "moods": text,
        "by": text, "says": {"feature": text, "_type": "List"},
    }  # fmt: skip
    info = {"info": {"features": features}}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), folder / "train-00000.parquet")
    return folder


def test_fma_by_subsets_and_splits(tmp_path: Path) -> None:
    folder = fma(tmp_path / "fma")
    rows = list(found(source(kind="fma", folder=str(folder)), Faults("stop")))
    assert [(row.id, row.split) for row in rows] == [
        ("fma000002", "train"), ("fma000005", "valid"), ("fma000010", "heldout"), ("fma000140", "train"),
        ("fma001039", "train"),
    ]  # fmt: skip
    assert rows[0].speaker == rows[1].speaker != rows[2].speaker
    assert rows[0].facts["attributes"] == {
        "genre": "hip-hop", "genres": ["hip-hop"], "title": "Food", "artist": "Ann", "licence": "CC-BY",
    }  # fmt: skip
    assert rows[1].facts["captions"] == ["Hip-hop music with elements of rock.", "Hip-hop."]
    assert rows[4].facts["captions"] == [] and rows[4].text == ""
    (folder / "fma_small").symlink_to(folder / "fma_large")
    small = source(kind="fma", folder=str(folder), subset="small", split="train")
    assert [row.id for row in found(small, Faults("stop"))] == ["fma000002", "fma001039"]
    shares = [found(source(kind="fma", folder=str(folder)), Faults("stop"), part, 2) for part in (0, 1)]
    assert [[row.id[-3:] for row in share] for share in shares] == [["002", "010", "039"], ["005", "140"]]
    with pytest.raises(InputError, match=r"There is no folder .*fma_medium"):
        list(found(source(kind="fma", folder=str(folder), subset="medium"), Faults("stop")))
    (folder / "fma_metadata" / "tracks.csv").write_text("track_id,title\n2,Food\n\n\n")
    with pytest.raises(InputError, match=r"no column set split, set subset"):
        list(found(source(kind="fma", folder=str(folder)), Faults("stop")))


def test_jamendo_tags_become_words(tmp_path: Path) -> None:
    tables = [str(path) for path in jamendo(tmp_path / "jamendo")]
    rows = list(found(source(kind="jamendo", tables=tables, audio=str(tmp_path / "jamendo"), low=True), Faults("stop")))
    assert [row.split for row in rows] == ["train", "valid", "heldout"]
    assert rows[0].text == "Punk rock music, energetic, played on electric guitar and drums."
    assert rows[0].facts["captions"][1] == "Energetic, punk rock, electric guitar, drums."
    assert rows[1].facts["captions"] == ["Music, calm.", "Calm."]
    assert rows[0].sound == tmp_path / "jamendo" / "14" / "214.low.mp3"
    (tmp_path / "other.tsv").write_text("id\ttags\n")
    with pytest.raises(InputError, match=r"other.tsv is not MTG-Jamendo's"):
        list(found(source(kind="jamendo", tables=[str(tmp_path / "other.tsv")], audio=str(tmp_path)), Faults("stop")))


def test_musiccaps_leaves_out_what_vanished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = musiccaps(tmp_path / "caps")
    rows = list(found(source(kind="musiccaps", table=str(table), audio=str(table.parent)), Faults("stop")))
    assert [(row.id, row.split) for row in rows] == [
        ("musiccaps--0Gj8-vB1q4", "heldout"), ("musiccaps--1LrH01Ei1w", None),
    ]  # fmt: skip
    assert rows[0].facts["captions"] == ["A sad ballad, slowly sung.", "ballad, sad"]
    assert "1 of 3 clips are not in" in capsys.readouterr().err
    for part, name in (("train", "-1LrH01Ei1w"), ("heldout", "-0Gj8-vB1q4")):
        only = source(kind="musiccaps", table=str(table), audio=str(table.parent), split=part)
        assert [(row.speaker, row.split) for row in found(only, Faults("stop"))] == [(name, part)]
    capsys.readouterr()
    only = source(kind="musiccaps", table=str(table), audio=str(table.parent), split="train")
    limited = islice(found(only, Faults("stop")), 1)
    assert [row.speaker for row in limited] == ["-1LrH01Ei1w"]
    del limited
    assert "1 of 3 clips are not in" in capsys.readouterr().err


def test_a_dataset_says_which_column_is_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setenv("CALM_OFFLINE", "1")
    columns = {"audio": "sound", "id": "name", "captions": ["says"], "genres": "genres", "moods": "moods"}
    columns |= {"artist": "by"}
    given = {"kind": "dataset", "path": str(dataset(tmp_path / "set")), "layout": "music", "columns": columns}
    first, second = found(source(**given), Faults("stop"))
    assert first.facts["captions"] == ["It is calm."] and first.speaker == "Ann"
    assert first.facts["attributes"] == {
        "genres": ["folk", "pop"], "genre": "folk", "moods": ["calm", "dark"], "mood": "calm", "artist": "Ann",
    }  # fmt: skip
    assert (second.id, second.speaker, second.text, second.facts["captions"]) == ("b", "b", "", [])
    with pytest.raises(InputError, match=r"it has sound, name, .* and no tune; choose another layout or columns"):
        list(found(source(**given | {"columns": columns | {"artist": "tune"}}), Faults("stop")))


def test_rows_that_cannot_be_used_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setenv("CALM_OFFLINE", "1")
    folder = dataset(tmp_path / "set", genres=[[-1, 0], [7]], names=["a", "b"])
    columns = {"audio": "sound", "id": "name", "genres": "genres"}
    given = {"kind": "dataset", "path": str(folder), "layout": "music", "columns": columns}
    (kept,) = found(source(**given), Faults("skip"))
    assert kept.facts["attributes"]["genres"] == ["pop"]  # -1 is no label
    assert "skipped the record b: Invalid integer class label 7" in capsys.readouterr().err
    dataset(tmp_path / "nameless", names=["a", None])
    assert len(list(found(source(**given | {"path": str(tmp_path / "nameless")}), Faults("skip")))) == 1
    assert "skipped the record None: its name is empty" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # datasets leaves its table open
def test_sounds_outside_parquet_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    put(tmp_path / "loose" / "a.wav", 300, 1.0)
    (tmp_path / "loose" / "metadata.csv").write_text("file_name,name\na.wav,one\n")
    path = write(tmp_path / "collect.yaml", {
        "kind": "collect", "folder": str(tmp_path / "corpus"), "processes": 1,
        "source": {"kind": "dataset", "path": str(tmp_path / "loose"), "layout": "music", "columns": {"id": "name"}},
    })  # fmt: skip
    assert main(["collect", str(path)]) == 2
    assert "loose are not in parquet files; read tars with kind: tars" in capsys.readouterr().err
    gc.collect()


def test_captions_in_tars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside = [
        {"captions": "Sad song."},
        {"caption": ["One.", "Two."]},
        {"caption": None, "artist": None},
        ["no object"],
    ]
    with tarfile.open(tmp_path / "music.tar", "w") as tar:
        for number, facts in enumerate(beside):
            add(tar, f"{number}.json", json.dumps(facts).encode())
            add(tar, f"{number}.flac", sound(number))
        add(tar, "4.txt", b"In words.")
        add(tar, "4.flac", sound(4))
    rows = list(found(source(kind="tars", tars=[str(tmp_path / "music.tar")]), Faults("skip")))
    assert [(row.text, row.facts.get("captions"), row.speaker) for row in rows] == [
        ("Sad song.", ["Sad song."], "0"), ("One.", ["One.", "Two."], "1"), ("", None, "2"), ("In words.", None, "4"),
    ]  # fmt: skip
    assert "skipped the record 3: its json is no object" in capsys.readouterr().err
    path = write(tmp_path / "collect.yaml", {
        "kind": "collect", "folder": str(tmp_path / "corpus"), "only_captioned": True, "processes": 1,
        "source": {"kind": "tars", "tars": [str(tmp_path / "music.tar")]}, "on_corrupt": "skip", "least_seconds": 0.5,
    })  # fmt: skip
    assert collect(read_collect_recipe(path, ["held_out_per_mille=0", "valid_per_mille=0"]))["train"] == 3


def test_tags_that_are_not_there_are_no_caption() -> None:
    assert captions(attributes()) == [] and attributes(title="") == {}
    assert attributes(["bossanova", "bluesrock"])["genres"] == ["bossa nova", "blues rock"]
    assert captions(attributes(["drumnbass"])) == ["Drum n bass music.", "Drum n bass."]
    assert captions(attributes([], [], ["piano", "Piano"])) == ["Music, played on piano.", "Piano."]


def test_artists_stay_together_where_the_source_has_no_splits() -> None:
    def of(artist: int, split: Any = None) -> Any:
        return split_of(Found("x", b"", "", f"artist {artist}", split=split), 100, 200)

    drawn = [of(artist) for artist in range(1000)]
    assert 160 < drawn.count("heldout") < 240 and 70 < drawn.count("valid") < 130
    assert drawn == [of(artist) for artist in range(1000)] and of(1, "valid") == "valid"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    folder = fma(tmp_path / "fma")
    return write(tmp_path / "collect.yaml", {
        "kind": "collect", "folder": str(tmp_path / "corpus"), "source": {"kind": "fma", "folder": str(folder)},
        "sample_rate": RATE, "seconds": 1.0, "least_seconds": 0.4, "pieces_a_shard": 2, "processes": 1,
    })  # fmt: skip


def test_recordings_become_a_corpus(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", str(recipe)]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["pieces"], figures["train"], figures["valid"], figures["heldout"]) == (7, 5, 1, 1)
    assert figures["hours"] * 3600 == pytest.approx(6.5, abs=0.2)
    corpus = Corpus(tmp_path / "corpus", "train")
    assert [row.id[3:] for row in corpus.rows] == ["000002-000", "000002-001", "000002-002", "000140", "001039"]
    assert corpus.sample_rate == RATE and corpus.rows[1].attributes["start_seconds"] == 1.0
    assert [heard(corpus.audio(row)) for row in corpus.rows] == pytest.approx([202, 202, 202, 340, 1239], abs=2)
    assert main(["collect", str(recipe)]) == 2
    assert "There is a corpus in" in capsys.readouterr().err
    named = collect(read_collect_recipe(recipe, [f"folder={tmp_path / 'named'}", "only_captioned=true"]))
    assert figures["without caption"] == 0 and (named["pieces"], named["without caption"]) == (6, 1)


def test_two_processes_make_what_one_makes(recipe: Path, tmp_path: Path) -> None:
    made = {}
    for processes in (1, 2):
        changes = [f"folder={tmp_path / str(processes)}", f"processes={processes}", "loudness_lufs=-20"]
        collect(read_collect_recipe(recipe, changes))
        made[processes] = {path.name: path.read_bytes() for path in (tmp_path / str(processes)).glob("*.[fj][ls]*")}
    assert made[1] == made[2] and len(made[1]) == 2 * 3 + 2


def test_a_stopped_run_goes_on_behind_its_last_shard(recipe: Path, tmp_path: Path) -> None:
    collect(read_collect_recipe(recipe, []))
    again = [f"folder={tmp_path / 'again'}", "limit=2"]
    collect(read_collect_recipe(recipe, again))  # stands for a run that was killed after a shard and a half
    for name in ("manifest.jsonl", "shard-0001.jsonl"):
        (tmp_path / "again" / name).unlink()
    with pytest.raises(InputError, match="shards of another recipe"):
        collect(read_collect_recipe(recipe, [*again, "seconds=2"]))
    written = (tmp_path / "again" / "shard-0000.flac").stat().st_mtime_ns
    collect(read_collect_recipe(recipe, again[:1]))
    whole, resumed = ((tmp_path / name / "manifest.jsonl").read_text() for name in ("corpus", "again"))
    assert whole == resumed and (tmp_path / "again" / "shard-0000.flac").stat().st_mtime_ns == written


def test_what_went_wrong_before_the_first_shard_can_be_corrected(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collect", str(recipe), "source.folder=elsewhere"]) == 2
    assert "There is no folder elsewhere/fma_large" in capsys.readouterr().err
    assert main(["collect", str(recipe), "limit=1"]) == 0
    others = tmp_path / "others"
    others.mkdir()
    (others / "shard-0000.jsonl").write_text('{"id": "speech"}\n')  # of another command, stopped
    capsys.readouterr()
    assert main(["collect", str(recipe), f"folder={others}"]) == 2
    assert "has shards of another recipe" in capsys.readouterr().err and not (others / "collect.json").exists()
    assert main(["synthesize", str(recipe)]) == 2
    assert "make it with: calm collect" in capsys.readouterr().err


def test_a_process_that_is_killed_ends_the_run_with_a_sentence(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm_core.training.recordings.collect.cut", killed)
    with pytest.raises(InputError, match=r"One of 2 processes was killed.*fewer processes"):
        collect(read_collect_recipe(recipe, ["processes=2"]))


def killed(item: Found, recipe: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_is_damaged_silent_or_short_is_counted(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sounds = tmp_path / "fma" / "fma_large"
    (sounds / "000" / "000002.mp3").write_bytes(b"no sound")
    (sounds / "000" / "000005.mp3").unlink()
    sf.write(sounds / "000" / "000010.mp3", np.zeros(44_100), 44_100, format="MP3")
    put(sounds / "000" / "000140.mp3", 340, 0.3)
    assert main(["collect", str(recipe)]) == 2
    assert "the recording fma000002 is damaged" in capsys.readouterr().err
    assert main(["collect", str(recipe), "on_corrupt=skip"]) == 0
    printed = capsys.readouterr()
    figures = json.loads(printed.out)
    assert (figures["pieces"], figures["skipped"], figures["silent pieces"], figures["too short"]) == (1, 2, 1, 1)
    assert "fma000005" in printed.err and "there is no file" in printed.err
    nothing = [f"folder={tmp_path / 'nothing'}", "source.split=heldout", "on_corrupt=skip"]
    assert main(["collect", str(recipe), *nothing]) == 2
    assert "gave no piece" in capsys.readouterr().err and not (tmp_path / "nothing" / "manifest.jsonl").exists()
    assert main(["collect", str(recipe), "seconds=1", "least_seconds=3"]) == 2
    assert "least_seconds is above seconds" in capsys.readouterr().err


def test_rows_of_a_corpus_too_large_for_memory_are_read_one_by_one(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(read_collect_recipe(recipe, []))
    kept = Corpus(tmp_path / "corpus", "train")
    monkeypatch.setattr(calm_core.training.data, "_KEPT_BYTES", 1000)
    read = Corpus(tmp_path / "corpus", "train")
    assert kept.in_memory and not read.in_memory
    assert all(kept.audio(row).equal(read.audio(row)) for row in kept.rows)
    assert not read._shards
