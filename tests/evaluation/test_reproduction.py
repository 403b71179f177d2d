"""The report on speech, end to end with models that only make noise: every section, kept measurements, faults."""

import shutil
from pathlib import Path

import pytest

from evaluation.__main__ import main
from evaluation.bundled.passages import held_out_passages, training_texts
from evaluation.metrics.words import spoken_words
from tests.calm_core.tasks.test_speech_continuation import save

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("models")
    return ["--calm", str(save(root / "calm", "lsd")), "--baseline", str(save(root / "rq", "rq_transformer"))]


@pytest.mark.flite
@pytest.mark.timeout(300)
def test_the_report_says_what_was_claimed_and_found(
    models: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, work = tmp_path / "speech.md", tmp_path / "work"
    asked = ["reproduce", "speech", *models, "--out", str(out), "--work", str(work), "--sections", "continuations"]
    asked += ["--prompts", "2", "--seconds", "1", "--seeds", "0", "1", "--processes", "1"]
    asked += ["--codecs", "calm-codec-speech"]
    assert main(asked) == 0
    text = out.read_text()
    assert "calm at 0.8 before rq at 0.8" in text and "23.8 / 26.8" in text and "| real " in text
    kept = sorted(work.glob("continuations-*.json"))
    assert len(kept) == 7  # what is real, and two models at three temperatures
    changed = [path.stat().st_mtime_ns for path in kept]
    assert main(asked) == 0 and [path.stat().st_mtime_ns for path in kept] == changed  # not measured again
    assert out.read_text() == text


@pytest.mark.flite
def test_prompts_are_of_stories_that_were_kept_out() -> None:
    known = held_out_passages(5, 2.96, 12.0, "flite")
    texts = [" ".join(spoken_words(text)) for text in training_texts()]
    assert [passage.speaker for passage in known] == ["slt", "rms", "awb", "kal16", "slt"]
    assert len({passage.prompt.item for passage in known}) == 5
    for passage in known:
        assert passage.prompt.seconds == pytest.approx(2.96) and passage.rest.seconds == pytest.approx(12.0)
        said = " ".join(spoken_words(" ".join(word for word, _ in passage.words)))
        assert len(passage.words) > 20 and not any(said in text for text in texts)
    strangers = held_out_passages(2, 2.96, 4.0)
    assert [passage.speaker for passage in strangers] == ["heldout-00", "heldout-01"]


@pytest.mark.flite
@pytest.mark.bundled
@pytest.mark.timeout(300)
def test_codecs_and_voices_are_compared(tmp_path: Path) -> None:
    """One codec and one voice model under several names, so that every order is undecided."""
    checkpoints = Path("assets/checkpoints")
    same = shutil.copytree(checkpoints / "calm-codec-speech", tmp_path / "other-codec")
    out = tmp_path / "speech.md"
    asked = ["reproduce", "speech", "--out", str(out), "--work", str(tmp_path / "work"), "--sentences", "2"]
    asked += ["--sections", "codecs", "speaking", "--codecs", "calm-codec-speech", str(same), "--seeds", "0", "1"]
    asked += ["--teacher", "calm-tts-en", "--student", "calm-tts-en", "--consistency", "calm-tts-en"]
    assert main([*asked, "--processes", "1"]) == 0
    orders = [line.split("|")[1:-1] for line in out.read_text().splitlines() if " before " in line]
    by_claim = {(line[0].strip(), line[1].strip()): [cell.strip() for cell in line[2:]] for line in orders}
    assert by_claim["calm-codec-speech before other-codec", "pesq (table 1)"][0] == "2.42 / 2.13"
    assert by_claim["calm-codec-speech before other-codec", "stoi (table 1)"][2] == "0 [0, 0]"
    # The guided model against itself under another name, with the same seeds.
    assert by_claim["LSD, cfg 1.5 before consistency, cfg 1.5", "WER (E.5)"][2:] == ["0 [0, 0]", "undecided"]
    assert by_claim["LSD, cfg 1.5 before LSD, no cfg", "CER (E.5)"][0] == "0.57 / 0.9"
    assert "ABX is left out" in out.read_text()


def test_faults_are_said_before_any_work(models: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "speech", "--out", str(tmp_path / "none" / "a.md")]) == 2
    assert main(["reproduce", "speech", "--out", str(tmp_path / "a.md"), "--sections", "music"]) == 2
    said = capsys.readouterr().err
    assert "There is no folder" in said and "no section 'music'" in said
    assert main(["reproduce", "speech", "--out", str(tmp_path / "a.md"), "--seeds", "0"]) == 2
    assert "at least two --seeds" in capsys.readouterr().err
