import csv
import json
from pathlib import Path

import numpy as np
import pytest

from calm_core.tasks import loading, voice_shelf
from calm_core.training.corpus_text import match_key
from evaluation.__main__ import main
from evaluation.bundled import cloning, engine, intelligibility
from evaluation.bundled.sentences import Sentence, read_sentences
from evaluation.bundled.sources import corpus_speakers, first_seconds, read_aloud
from evaluation.clips import make_clip
from evaluation.errors import InputError
from evaluation.metrics.words import spoken_words


def test_the_sentences_are_100_plain_ones_with_a_spoken_form_each() -> None:
    sentences = read_sentences()
    assert len({match_key(sentence.written) for sentence in sentences}) == 100
    for sentence in sentences:
        assert 6 <= len(sentence.written.split()) <= 12
        assert not any(character.isdigit() for character in sentence.said)
        if not any(character.isdigit() for character in sentence.written):
            assert sentence.said == sentence.written
    assert sum(sentence.written.endswith("?") for sentence in sentences) >= 15
    assert sum(any(character.isdigit() for character in sentence.written) for sentence in sentences) >= 15


def test_the_normaliser_reads_the_sentences_as_they_are_said() -> None:
    for sentence in read_sentences():
        assert spoken_words(sentence.written) == spoken_words(sentence.said)


def test_sentences_of_a_user_are_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("One line.\n\n  Another line.  \n", encoding="utf-8")
    assert read_sentences(path) == [Sentence("One line.", "One line."), Sentence("Another line.", "Another line.")]
    assert len(read_sentences(path, limit=1)) == 1
    for content, says in ((b"", "holds no sentences"), (b"\xff\xfe\x00", "UTF-8"), (b"a" * 401, "the limit is 400")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=says):
            read_sentences(path)


def test_held_out_speakers_are_strangers_to_the_training_speakers() -> None:
    training, held_out = corpus_speakers()
    assert len(training) >= 60 and len(held_out) == 20
    known = {(s.base, s.pitch, s.formants, s.rate) for s in training.values()}
    assert not known & {(s.base, s.pitch, s.formants, s.rate) for s in held_out.values()}


@pytest.mark.flite
def test_a_speaker_reads_the_same_every_time_and_unlike_another() -> None:
    _, held_out = corpus_speakers()
    first, second, other = (
        read_aloud("x", "Seven boats.", held_out[name]) for name in ("heldout-00", "heldout-00", "heldout-01")
    )
    assert first.sample_rate == 24_000 and 0.5 < first.seconds < 3
    assert np.array_equal(first.samples, second.samples)
    assert not np.array_equal(first.samples[:10_000], other.samples[:10_000])


def test_a_prompt_has_just_the_seconds_asked_for() -> None:
    halves = [make_clip("a", np.full(12_000, 0.1), 24_000), make_clip("b", np.full(36_000, 0.2), 24_000)]
    prompt = first_seconds(halves, 1.5)
    assert prompt.seconds == 1.5 and prompt.samples[11_999] == 0.1 and prompt.samples[12_000] == 0.2
    with pytest.raises(InputError, match=r"2\.0 s together"):
        first_seconds(halves, 3.0)


def test_voices_are_those_that_have_a_source() -> None:
    sources = ["slt", "rms", "slt-001"]
    assert intelligibility.choose_voices([], ["rms", "alba", "slt-001"], sources) == ["rms", "slt-001"]
    assert intelligibility.choose_voices([], [], sources) == ["slt", "rms"]
    assert intelligibility.choose_voices(["slt"], ["rms", "slt"], sources) == ["slt"]
    with pytest.raises(InputError, match="'alba'; choose from rms"):
        intelligibility.choose_voices(["alba"], ["rms", "alba"], sources)
    with pytest.raises(InputError, match="--voices"):
        intelligibility.choose_voices([], ["alba"], sources)


def test_the_summary_pools_words_by_system_and_voice() -> None:
    rows = [
        intelligibility.Heard("source", "slt", "", "", (1, 10), (2, 40)),
        intelligibility.Heard("source", "rms", "", "", (3, 6), (8, 20)),
        intelligibility.Heard("model", "slt", "", "", (2, 10), (4, 40)),
    ]
    table = {(row["system"], row["voice"]): row for row in intelligibility.summarise(rows)}
    assert list(table) == [("source", "all"), ("model", "all"), ("source", "slt"), ("source", "rms"), ("model", "slt")]
    assert table["source", "all"]["wer"] == pytest.approx(25.0)
    assert table["source", "rms"]["cer"] == pytest.approx(40.0)
    assert table["source", "all"]["wer_low"] == pytest.approx(10.0)
    assert "similarity" not in table["source", "all"] and "frame_ms" not in table["source", "all"]


def test_the_summary_has_the_speed_of_models_and_the_similarity_of_all_but_the_source() -> None:
    rows = [
        intelligibility.Heard("source", "slt", "", "", (1, 10), (2, 40)),
        intelligibility.Heard("codec", "slt", "", "", (1, 10), (2, 40), 0.9),
        *(
            intelligibility.Heard("model", "slt", "", "", (1, 10), (2, 40), 0.8, engine.Speed(factor, 80 / factor))
            for factor in (2.0, 4.0, 100.0)
        ),
    ]
    table = {row["system"]: row for row in intelligibility.summarise(rows) if row["voice"] == "all"}
    figures = {
        system: [row[key] for key in ("similarity", "real_time_factor", "frame_ms")] for system, row in table.items()
    }
    assert figures["source"] == [None, None, None] and figures["codec"] == [pytest.approx(0.9), None, None]
    assert figures["model"] == [pytest.approx(0.8), 4.0, 20.0]  # medians: one clip was lucky


def test_speed_counts_sound_and_frames_by_the_clock() -> None:
    two_seconds = make_clip("a", np.zeros(48_000), 24_000)
    assert engine.Spoken(two_seconds, seconds=0.5, frames=25).speed == (4.0, 20.0)


def test_every_model_is_measured_with_every_value() -> None:
    assert engine.variants(["calm-tts-en"]) == [engine.Variant("model", "calm-tts-en")]
    pair = engine.variants(["calm-tts-en", "runs/student"], [], [4], [1.0, 1.5])
    assert [variant.label for variant in pair] == [
        "calm-tts-en, steps 4, cfg 1", "calm-tts-en, steps 4, cfg 1.5", "student, steps 4, cfg 1",
        "student, steps 4, cfg 1.5",
    ]  # fmt: skip
    assert pair[3] == engine.Variant("student, steps 4, cfg 1.5", "runs/student", None, 4, 1.5)
    assert [variant.label for variant in engine.variants(["a/x", "b/x"])] == ["a/x", "b/x"]
    with pytest.raises(InputError, match="asked for twice"):
        engine.variants(["x"], [0.5, 0.5])
    assert intelligibility.folder_name("runs/student, cfg 1.5") == "runs-student-cfg-1.5"


def test_a_clip_counts_as_recognised_when_its_own_speaker_is_nearest() -> None:
    enrolled = np.eye(3)
    near = cloning.match("model", ["a", "b", "c"], enrolled, 1, np.array([0.6, 0.8, 0.0]))
    assert (near.own, near.nearest_other, near.recognised) == (0.8, 0.6, True)
    far = cloning.match("model", ["a", "b", "c"], enrolled, 0, np.array([0.6, 0.8, 0.0]))
    assert not far.recognised
    (row,) = cloning.summarise([near, far, near])
    assert row["rank1"] == pytest.approx(200 / 3) and row["cosine"] == pytest.approx((0.8 + 0.6 + 0.8) / 3)


@pytest.mark.flite
def test_the_source_voices_are_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, audio = tmp_path / "heard.csv", tmp_path / "audio"
    arguments = ["--systems", "source", "--limit", "4", "--json", "--out", str(out), "--audio-dir", str(audio)]
    assert main(["bundled", "intelligibility", *arguments]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[0]["sentences"] == 4 and rows[0]["wer_low"] <= rows[0]["wer"] <= 30.0
    with open(out, encoding="utf-8") as file:
        heard = list(csv.DictReader(file))
    assert [row["said"] for row in heard] == [sentence.said for sentence in read_sentences(limit=4)]
    wrong, said = (sum(int(row[key]) for row in heard) for key in ("wrong", "words"))
    assert rows[0]["wer"] == pytest.approx(100 * wrong / said)
    assert len(list((audio / "source").glob("*.wav"))) == 4


@pytest.mark.flite
def test_real_speakers_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--systems", "real", "--speakers", "2", "--per-speaker", "1", "--json"]
    assert main(["bundled", "cloning", *arguments]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["clips"] == 2 and row["rank1"] == 100.0 and row["cosine"] > row["nearest_other"]


@pytest.mark.flite
@pytest.mark.bundled
def test_the_bundled_models_are_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    # The app's tests, when they ran before in the same process, have put tones in the place of the voices.
    monkeypatch.setattr(voice_shelf, "bundled_voices_folder", loading.bundled_voices_folder)
    arguments = ["--limit", "2", "--processes", "1", "--cfg", "1", "1.5", "--similarity", "--json"]
    assert main(["bundled", "intelligibility", *arguments]) == 0
    rows = {row["system"]: row for row in json.loads(capsys.readouterr().out)["rows"] if row["voice"] == "all"}
    models = ["calm-tts-en, cfg 1", "calm-tts-en, cfg 1.5"]
    assert list(rows) == ["source", "codec", *models]
    assert all(row["sentences"] == 2 for row in rows.values())
    for row in (rows[name] for name in models):
        assert row["similarity"] > 0.6
        assert row["real_time_factor"] > 0 and row["frame_ms"] > 0
    assert main(["bundled", "cloning", "--systems", "model", "--speakers", "2", "--per-speaker", "1", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["clips"] == 2 and row["cosine"] > 0.3
    assert main(["bundled", "codec", "--limit", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    figures = {row["figure"]: row["mean"] for row in rows if row["codec"] == "calm-codec-speech"}
    assert all(row["kbit/s"] == "-" for row in rows)
    assert figures["stoi"] > 0.6 and figures["speaker_similarity"] > 0.3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["intelligibility", "--limit", "0"], "--limit"),
        (["intelligibility", "--processes", "0"], "--processes"),
        (["intelligibility", "--systems", "peer"], "'peer'; choose from source"),
        (["intelligibility", "--sentences", "nowhere.txt"], "nowhere.txt"),
        (["intelligibility", "--systems", "source", "--voices", "alba"], "'alba'"),
        (["cloning", "--systems", "peer"], "'peer'; choose from real"),
        (["cloning", "--limit", "5"], "at least 9 sentences"),
        (["cloning", "--speakers", "1", "--systems", "real"], "between 2 and 20"),
        (["cloning", "--per-speaker", "0"], "--per-speaker"),
        (["cloning", "--model", "nowhere"], "no model 'nowhere'"),
        (["intelligibility", "--models", "nowhere", "calm-tts-en"], "no model 'nowhere'"),
        (["intelligibility", "--models", "calm-tts-en", "calm-tts-en"], "asked for twice"),
        (["codec", "--codec", "nowhere"], "no model 'nowhere'"),
        (["codec", "--codecs", "calm-codec-speech", "calm-codec-speech"], "named twice"),
    ],
)
def test_bad_requests_are_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundled", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and says in line
