"""Recordings from every layout to shards of latents, and what is done about damage."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf
import torch
from accelerate import PartialState
from pydantic import TypeAdapter

from calm_core.cli import main
from calm_core.errors import InputError
from calm_core.training.encode import encode, read_encode_recipe
from calm_core.training.faults import Faults
from calm_core.training.latent_shards import LatentShards, index_path, latents_exist, open_latents
from calm_core.training.latents import LatentCorpus
from calm_core.training.sources import Source, records
from calm_core.training.statistics import FILE, read_statistics
from calm_core.training.tars import expand, read_tars, shuffled
from tests.calm_core.training.tiny_runs import CODEC, write

RATE = 24_000


def sound(index: int, ending: str = "flac", seconds: float = 0.6, rate: int = 16_000) -> bytes:
    """A tone whose pitch tells which one it is."""
    file = io.BytesIO()
    time = np.arange(int(seconds * rate)) / rate
    sf.write(file, 0.3 * np.sin(2 * np.pi * 200 * (index + 1) * time), rate, format=ending.upper())
    return file.getvalue()


def pitch(samples: torch.Tensor) -> int:
    spectrum = torch.fft.rfft(samples[: RATE // 2]).abs()
    return round(float(spectrum.argmax()) * 2 / 200) - 1


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def emilia(folder: Path, tars: int = 2, each: int = 3) -> Path:
    """Tars as Emilia's: mp3 and a json with text, speaker, duration and dnsmos."""
    folder.mkdir(parents=True, exist_ok=True)
    for t in range(tars):
        with tarfile.open(folder / f"EN-B{t:06d}.tar", "w") as tar:
            for i in range(t * each, t * each + each):
                facts = {"id": f"EN_{i}", "text": f" Tone {i}.", "speaker": f"EN_S{i % 2}", "duration": 0.6,
                         "language": "en", "dnsmos": 3.0 + 0.1 * i}  # fmt: skip
                add(tar, f"EN_{i:03d}.json", json.dumps(facts).encode())
                add(tar, f"EN_{i:03d}.mp3", sound(i, "mp3"))
    return folder


def librispeech(folder: Path, rows: int = 5, damaged: int | None = None) -> Path:
    """A parquet file with LibriSpeech's columns."""
    folder.mkdir(parents=True, exist_ok=True)
    data = [b"no sound" if i == damaged else sound(i) for i in range(rows)]
    audio = [{"bytes": d, "path": f"{i}.flac"} for i, d in enumerate(data)]
    table = pa.table({
        "file": [f"{i}.flac" for i in range(rows)], "audio": audio, "text": [f"TONE {i}" for i in range(rows)],
        "speaker_id": [100 + i % 2 for i in range(rows)], "chapter_id": [1] * rows,
        "id": [f"100-1-{i:04d}" for i in range(rows)],
    })  # fmt: skip
    features = {"audio": {"_type": "Audio", "sampling_rate": 16_000}} | {
        name: {"dtype": "int64" if name.endswith("_id") else "string", "_type": "Value"}
        for name in ("file", "text", "speaker_id", "chapter_id", "id")
    }
    info = {"info": {"features": {name: features[name] for name in table.column_names}}}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), folder / "train-00000.parquet")
    return folder


def source(**values: Any) -> Any:
    return TypeAdapter(Source).validate_python(values)


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setenv("CALM_OFFLINE", "1")


def seen(given: Any, **options: Any) -> list[tuple[str, int, str, str]]:
    faults = options.pop("faults", Faults("stop"))
    return [(r.id, pitch(r.samples), r.text, r.speaker) for r in records(given, RATE, faults, **options)]


def test_emilia_as_tars_and_as_a_dataset_is_the_same(tmp_path: Path) -> None:
    folder = emilia(tmp_path / "emilia")
    tars = source(kind="tars", tars=[str(folder / "EN-B{000000..000001}.tar")])
    as_dataset = source(kind="dataset", path=str(folder), layout="emilia")
    wanted = [(f"EN_{i}", i, f"Tone {i}.", f"EN_S{i % 2}") for i in range(6)]
    assert seen(tars) == wanted
    assert seen(as_dataset) == wanted
    good = source(kind="tars", tars=[str(folder / "*.tar")], least_dnsmos=3.25)
    assert [row[0] for row in seen(good)] == ["EN_3", "EN_4", "EN_5"]


def test_processes_share_tars_and_rows(tmp_path: Path) -> None:
    folder = emilia(tmp_path / "emilia", tars=4, each=2)
    tars = source(kind="tars", tars=[str(folder / "*.tar")], shuffle=3, seed=5)
    parts = [seen(tars, process=p, processes=2) for p in range(2)]
    assert sorted(row[1] for part in parts for row in part) == list(range(8)) and len(parts[0]) == 4
    assert seen(tars) == seen(tars)
    assert [row[1] for row in seen(tars)] != list(range(8))
    rows = source(kind="dataset", path=str(librispeech(tmp_path / "libri")), layout="librispeech")
    parts = [seen(rows, process=p, processes=2) for p in range(2)]
    assert sorted(row[1] for part in parts for row in part) == [0, 1, 2, 3, 4] and all(parts)


def test_librispeech_rows(tmp_path: Path) -> None:
    rows = source(kind="dataset", path=str(librispeech(tmp_path / "libri", 2)), layout="librispeech")
    assert seen(rows) == [("100-1-0000", 0, "TONE 0", "100"), ("100-1-0001", 1, "TONE 1", "101")]
    with pytest.raises(InputError, match="not laid out as emilia: it has file, audio"):
        seen(source(kind="dataset", path=str(tmp_path / "libri"), layout="emilia"))
    with pytest.raises(InputError, match="CALM_OFFLINE"):
        seen(source(kind="dataset", path="openslr/librispeech_asr", layout="librispeech"))


def test_damage_is_named_and_skipped_with_a_count_or_stops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = emilia(tmp_path / "emilia")
    whole = (folder / "EN-B000000.tar").read_bytes()
    (folder / "EN-B000000.tar").write_bytes(whole[: len(whole) // 2])
    tars = source(kind="tars", tars=[str(folder / "*.tar")])
    with pytest.raises(InputError, match=r"EN-B000000.tar is damaged .* on_corrupt=skip"):
        seen(tars)
    faults = Faults("skip")
    found = [row[0] for row in seen(tars, faults=faults)]
    assert found[-3:] == ["EN_3", "EN_4", "EN_5"] and len(found) < 6
    assert faults.skipped == [str(folder / "EN-B000000.tar")]
    assert "(1 so far)" in capsys.readouterr().err
    rows = source(kind="dataset", path=str(librispeech(tmp_path / "libri", 3, damaged=1)), layout="librispeech")
    with pytest.raises(InputError, match="record 100-1-0001 is damaged"):
        seen(rows)
    faults = Faults("skip")
    assert [row[1] for row in seen(rows, faults=faults)] == [0, 2] and faults.skipped == ["the record 100-1-0001"]


def test_patterns_and_the_shuffle_buffer(tmp_path: Path) -> None:
    assert expand("hf://datasets/a/b/{en,de}-{08..10}.tar")[:4] == [
        f"hf://datasets/a/b/en-{n}.tar" for n in ("08", "09", "10")
    ] + ["hf://datasets/a/b/de-08.tar"]
    with pytest.raises(InputError, match="There is no file"):
        expand(str(tmp_path / "none-*.tar"))
    with pytest.raises(InputError, match="CALM_OFFLINE"):
        list(read_tars(["hf://datasets/a/b/c.tar"], Faults("stop")))
    mixed = list(shuffled(range(100), 10, seed=1))
    assert sorted(mixed) == list(range(100)) and mixed != list(range(100))
    assert all(value <= place + 10 for place, value in enumerate(mixed))  # nothing is seen before it was read
    assert mixed == list(shuffled(range(100), 10, seed=1)) != list(shuffled(range(100), 10, seed=2))


@pytest.fixture
def encode_file(trained_codec: Path, tmp_path: Path) -> Path:
    folder = emilia(tmp_path / "emilia", tars=3, each=3)
    return write(tmp_path / "encode.yaml", {
        "kind": "encode", "source": {"kind": "tars", "tars": [str(folder / "*.tar")]},
        "latents": str(tmp_path / "latents"),
        "codec": str(trained_codec / "codec.safetensors"), "codec_model": {"kind": "spectral", **CODEC},
        "rows_a_shard": 4, "batch": 2,
    })  # fmt: skip


def test_encoding_goes_on_where_it_was_and_equals_one_go(encode_file: Path, tmp_path: Path) -> None:
    state = PartialState(cpu=True)
    figures = encode(read_encode_recipe(encode_file, []), state)
    assert figures["rows"] == 9 and figures["hours"] == pytest.approx(9 * 0.6 / 3600, rel=0.1)
    whole, rows = open_latents(tmp_path / "latents" / "train.safetensors")
    assert len(whole) == 9 and {row["text"] for row in rows} == {f"Tone {i}." for i in range(9)}
    assert whole["EN_0"].shape[1] == CODEC["latent_dim"]
    every = torch.cat(list(whole.values())).double()
    found = read_statistics(tmp_path / "latents" / FILE)
    torch.testing.assert_close(torch.tensor(found.mean), every.mean(0).float(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(torch.tensor(found.std), every.std(0).float(), rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="there already"):
        encode(read_encode_recipe(encode_file, []), state)
    again = read_encode_recipe(encode_file, [f"latents={tmp_path / 'again'}", "limit=5"])
    encode(again, state)  # stands for a run that was killed after five: its index goes
    index_path(tmp_path / "again" / "train.safetensors").unlink()
    assert not latents_exist(tmp_path / "again" / "train.safetensors")
    figures = encode(again.model_copy(update={"limit": None}), state)
    assert figures["there already"] == 5 and figures["rows"] == 9
    resumed, _ = open_latents(tmp_path / "again" / "train.safetensors")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_corrupt_shard_is_skipped_with_a_count_or_stops(
    encode_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", str(encode_file)]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 9
    shard = tmp_path / "latents" / "train-00-00001.safetensors"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1  # one bit of one number
    shard.write_bytes(data)
    path = tmp_path / "latents" / "train.safetensors"
    with pytest.raises(InputError, match=r"train-00-00001.safetensors is damaged \(its checksum"):
        LatentCorpus(path)
    left = LatentShards(index_path(path), "skip")
    assert left.faults.skipped == [str(shard)] and len(left) == len(left.rows) == 5
    assert "(1 so far)" in capsys.readouterr().err
    shard.write_bytes(data[:100])
    with pytest.raises(InputError, match="100 bytes instead of"):
        LatentCorpus(path)


def test_a_codec_of_other_shapes_is_refused(encode_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encode", str(encode_file), "codec_model.latent_dim=4"]) == 2
    assert "does not fit the recipe" in capsys.readouterr().err
    assert main(["encode", str(encode_file), "source.kind=tape"]) == 2
    assert "source" in capsys.readouterr().err
