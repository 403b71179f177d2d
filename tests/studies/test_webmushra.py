"""Configurations in webMUSHRA's layout become studies, and the report hides nothing."""

from pathlib import Path

import pytest
import soundfile

from app.studies.create import check_source
from app.studies.faults import StudyFileError
from app.studies.schema import parse_study
from app.studies.webmushra import import_config, write_studies
from tests.studies.makers import speechlike

HEAD = """\
testname: Codecs at low rates
testId: codecs_low
bufferSize: 2048
stopOnErrors: true
showButtonPreviousPage: true
remoteService: service/write.php

pages:
"""
MUSHRA = """\
    - type: generic
      id: hello
      name: Welcome
      content: <p>Thank you for coming.</p><ul><li>Put on headphones.</li></ul>
    - type: volume
      id: vol
      stimulus: audio/ref1.wav
      defaultVolume: 0.5
    -
          - random
          - type: mushra
            id: first
            name: First
            content: Listen well. Remember: one of them is the reference.
            showWaveform: true
            enableLooping: false
            reference: audio/ref1.wav
            createAnchor35: true
            createAnchor70: true
            randomize: false
            stimuli:
                C1: audio/a1.wav
                C2: audio/b1.wav
          - type: mushra
            id: second
            name: Second
            content: The same again
            reference: audio/ref2.wav
            createAnchor35: true
            createAnchor70: true
            stimuli:
                C1: audio/a2.wav
"""
PAIRED = """\
    - type: paired_comparison
      id: pair
      unforced: I cannot tell
      content: Which one is better?
      reference: audio/ref1.wav
      stimuli: {C1: audio/a1.wav, C2: audio/b1.wav}
"""
LIKERT = """\
    - type: likert_multi_stimulus
      id: rate
      content: How much do you like it?
      mustRate: true
      stimuli: {C1: audio/a1.wav, C2: audio/b1.wav}
      response:
        - {value: none, label: Not at all, img: off.png}
        - {value: some, label: A bit, img: off.png}
        - {value: much, label: Very much, img: off.png}
"""
FINISH = """\
    - type: finish
      name: Thank you
      content: Goodbye
      showResults: true
      questionnaire:
          - {type: text, label: E-mail, name: email}
          - {type: number, label: Age, name: age, min: 0, max: 100, default: 30}
          - type: likert
            name: gender
            label: Gender
            response: [{value: female, label: Female}, {value: male, label: Male}]
          - {type: long_text, label: Remarks, name: remarks, optional: true}
"""


def test_a_mushra_test_keeps_conditions_anchors_and_questions() -> None:
    (made,), _ = import_config(HEAD + MUSHRA + FINISH)
    study = parse_study(made.text)
    assert made.slug == study.slug == "codecs-low" and study.kind == "mushra" and study.anchors == ["low", "mid"]
    assert study.title.en == "Codecs at low rates" and study.languages == ["en"]
    assert [(one.name, one.role) for one in study.systems] == [
        ("reference", "reference"),
        ("C1", "system"),
        ("C2", "system"),
    ]
    first, second = study.prompts
    assert study.rated_of(first) == ["reference", "C1", "C2", "anchor-3.5k", "anchor-7k"]
    assert study.rated_of(second) == ["reference", "C1", "anchor-3.5k", "anchor-7k"]
    assert made.files == ["audio/a1.wav", "audio/a2.wav", "audio/b1.wav", "audio/ref1.wav", "audio/ref2.wav"]
    assert study.question.en == "Listen well. Remember: one of them is the reference."
    assert study.information.en == "Thank you for coming.\nPut on headphones."
    asked = {one.name: (one.kind, one.required) for one in study.questionnaire}
    assert asked == {
        "email": ("text", True),
        "age": ("number", True),
        "gender": ("choice", True),
        "remarks": ("long_text", False),
    }


def test_the_report_names_everything_that_is_different_or_left_out() -> None:
    _, report = import_config(HEAD + MUSHRA + PAIRED + LIKERT + FINISH)
    told = "\n".join(report.lines())
    words = (
        "bufferSize stopOnErrors showButtonPreviousPage remoteService showWaveform enableLooping randomize random: img"
    )
    for word in (*words.split(), "'vol'", "'Thank you'", "default answer", "quotes", "likert_multi_stimulus"):
        assert word in told, word
    assert "2 pages of kind mushra as the mushra study 'codecs-low-1' with 5 conditions" in told


def test_each_kind_of_page_becomes_its_own_study() -> None:
    made, _ = import_config(HEAD + MUSHRA + PAIRED + LIKERT + FINISH)
    studies = {one.kind: one for one in (parse_study(each.text) for each in made)}
    assert set(studies) == {"mushra", "pairwise", "mos"}
    pair = studies["pairwise"]
    assert pair.ties and pair.reference and pair.compared() == [("C1", "C2")]
    labels = studies["mos"].judged()[0].labels or []
    assert [label.en for label in labels] == ["Not at all", "A bit", "Very much"]


def test_pages_that_break_the_standard_are_left_out_and_told() -> None:
    stimuli = "".join(f"                C{number}: audio/c{number}.wav\n" for number in range(1, 12))
    page = "    - type: mushra\n      id: full\n      reference: audio/r.wav\n      createAnchor35: true\n"
    full = HEAD + MUSHRA + page + "      createAnchor70: true\n      stimuli:\n" + stimuli + FINISH
    made, report = import_config(full)
    assert [prompt.name for prompt in parse_study(made[0].text).prompts] == ["first", "second"]
    assert any("'full'" in one and "14 signals" in one for one in report.lost)


def test_a_bs_1116_test_becomes_mushra_and_the_report_warns() -> None:
    page = "    - type: bs1116\n      id: small\n      reference: a.wav\n      stimuli: {C1: b.wav, C2: c.wav}\n"
    made, report = import_config(HEAD + page + MUSHRA + FINISH)
    studies = [parse_study(one.text) for one in made]
    assert [study.kind for study in studies] == ["mushra", "mushra"] and studies[0].anchors == []
    assert studies[0].rated() == ["reference", "C1", "C2"]
    assert any(one.startswith("bs1116:") and "must not be compared" in one for one in report.changed)


def test_tests_that_do_not_exist_here_are_told() -> None:
    page = "    - type: spatial\n      id: room\n      stimuli: {C1: b.wav}\n"
    with pytest.raises(StudyFileError, match="'spatial'"):
        import_config(HEAD + page + FINISH)
    made, report = import_config(HEAD + page + PAIRED)
    assert len(made) == 1 and any("'room'" in one for one in report.lost)
    for text in ("testname: x\n", "- a\n", "pages: 3\n", "pages: ['x']\n", "a: [\n"):
        with pytest.raises(StudyFileError):
            import_config(text)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "http://example.org/../x.wav"])
def test_paths_that_lead_outside_do_not_come_in(path: str) -> None:
    with pytest.raises(StudyFileError):
        import_config(HEAD + PAIRED.replace("audio/a1.wav", path))


def test_sounds_come_along_and_the_study_can_be_created(tmp_path: Path) -> None:
    (tmp_path / "root" / "audio").mkdir(parents=True)
    for seed, name in enumerate(("ref1", "a1", "b1", "ref2", "a2")):
        soundfile.write(tmp_path / "root" / "audio" / f"{name}.wav", speechlike(seed, 1.0, 48_000), 48_000)
    made, report = import_config(HEAD + MUSHRA + FINISH)
    (folder,) = write_studies(made, tmp_path / "out", tmp_path / "root", report)
    _, batch = check_source(folder)
    assert len(batch.stimuli) == 5 + 4
    with pytest.raises(StudyFileError, match="already"):
        write_studies(made, tmp_path / "out", None, report)
