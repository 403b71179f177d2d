"""The paper's five protocols and MUSHRA, in one call each."""

from pathlib import Path

import pytest

from app.errors import UserError
from app.studies.create import check_source
from app.studies.faults import StudyFileError
from app.studies.presets import PRESETS, preset_text, write_preset
from app.studies.schema import parse_study, read_study
from tests.studies.makers import write_folder


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_protocol_is_a_study_in_both_languages(name: str) -> None:
    study = parse_study(preset_text(name))
    assert study.slug == name and study.languages == ["en", "fr"]
    for language in study.languages:
        assert study.title.get(language) and study.question.get(language)
    assert study.title.en != study.title.fr and study.question.en != study.question.fr
    assert study.headphone_check != "none" and study.served("training") == 2


def test_the_protocols_of_the_paper_say_what_the_paper_says() -> None:
    studies = {name: parse_study(preset_text(name)) for name in PRESETS}
    for name in ("acoustic-quality", "music-quality"):
        assert studies[name].kind == "mos" and studies[name].minimum_seconds == 10
    for name in ("meaningfulness", "enjoyment"):
        assert studies[name].kind == "pairwise" and studies[name].ties and studies[name].minimum_seconds == 10
        assert not studies[name].reference
    similarity = studies["speaker-similarity"]
    assert similarity.kind == "pairwise" and similarity.ties and similarity.reference
    assert similarity.compared() == [("model-a", "model-b")]
    for name in PRESETS:
        if name != "mushra":
            # 50 raters with 10 samples each are 10 ratings of each of 50 samples
            assert studies[name].items_per_session == 10 and studies[name].ratings_wanted == 10
            assert sum(prompt.phase == "main" for prompt in studies[name].prompts) == 50
    mushra = studies["mushra"]
    assert mushra.anchors == ["low", "mid"] and mushra.reference_name() == "reference"
    assert len(mushra.rated_of(mushra.prompts[0])) <= 12


def test_a_protocol_finds_the_sounds_that_are_there(tmp_path: Path) -> None:
    names = [{"name": f"p{number}"} for number in range(4)]
    values = {
        "systems": [{"name": "reference"}, {"name": "codec"}],
        "prompts": names,
        "files": "audio/{system}/{prompt}.wav",
    }
    folder = write_folder(tmp_path / "mine", values)
    (folder / "study.yaml").unlink()
    write_preset("mushra", folder, "my-codec")
    study = read_study(folder)
    assert study.slug == "my-codec" and [one.name for one in study.systems] == ["reference", "codec"]
    assert [prompt.name for prompt in study.prompts] == ["p0", "p1", "p2", "p3"]
    assert len(check_source(folder)[1].stimuli) == 4 * 4
    with pytest.raises(UserError, match="already"):
        write_preset("mushra", folder)


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="acoustic-quality"):
        preset_text("no-such-thing")
    values = {
        "systems": [{"name": "a"}, {"name": "b"}],
        "prompts": [{"name": "p"}],
        "files": "audio/{system}/{prompt}.wav",
    }
    folder = write_folder(tmp_path / "mine", values)
    (folder / "study.yaml").unlink()
    (folder / "audio/b/p.wav").rename(folder / "audio/b/q.wav")
    with pytest.raises(StudyFileError, match="p, q"):
        write_preset("enjoyment", folder)
