"""The report on music, end to end with models that only make noise: every section, what is kept, faults."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from evaluation.__main__ import main
from evaluation.bundled.music import Music, openable
from evaluation.bundled.pieces import HeldOut
from evaluation.errors import InputError
from evaluation.reproduction import fingerprints
from tests.evaluation import music_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return music_world.build(tmp_path_factory.mktemp("music") / "world")


@pytest.fixture(autouse=True)
def nothing_bundled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The report would also measure what is bundled."""
    monkeypatch.setattr(fingerprints, "CHECKPOINTS", tmp_path / "none")


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """The rows of the first table below a heading, by their first cell."""
    table = text.split(f"## {heading}")[1].split("\n## ")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    return {line[0]: line[1:] for line in lines}


def changed(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}


@pytest.mark.timeout(300)
def test_the_report_grows_and_outlives_its_models(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = music_world.options(world, tmp_path)
    only = ["--sections", "ablations", "agreement", "stability", "speed"]
    assert main([*asked, *only]) == 0
    text = (tmp_path / "music.md").read_text()
    claims = [line.split("|")[1:-1] for line in text.splitlines() if " before " in line]
    by_claim = {claim[0].strip(): [cell.strip() for cell in claim[1:]] for claim in claims}
    # a run without a noised context has the weights of the full model here, and draws what it draws
    same = by_claim["calm at 4 steps before calm-music-without-noise at 4 steps"]
    assert same[:2] == ["FAD (table 5)", "0.93 / 1.63"] and same[3:] == ["0 [0, 0]", "undecided"]
    table = rows(text, "Ablations (table 5)")
    assert table["calm at 4 steps"][0] == "all parts: 0.93 ± 0.06" and table["calm at 4 steps"][1:3] == ["4", "2"]
    assert "Not measured yet: calm-music-without-multiplier at 4 steps, calm-music-without-all at 4 steps." in text
    assert (
        "Not measured yet: real, codec, rq-codec-music, calm at 1 step," in text.split("## Continuations")[1]
    )  # it was not asked for
    assert "| real" in text.split("## Half a minute by its parts")[1] and "0 to 5" in text
    assert "tempo_class" in text.split("## Captions heard again")[1]
    speeds = rows(text, "Half a minute on the CPU (table 4)")
    assert 0 < float(speeds["calm at 4 steps"][2]) < 100 and 0 < float(speeds["delays"][2]) < 100
    assert str(world) not in text

    kept = tmp_path / "music"
    before = changed(kept)
    assert max(path.stat().st_size for path in kept.glob("*.json")) < 20_000
    assert str(world) not in "".join(path.read_text() for path in kept.glob("*.json"))
    gone = tmp_path / "gone"
    gone.mkdir()
    shutil.move(world / "more" / "calm-music-without-noise", gone)
    try:
        assert main([*asked, *only]) == 0  # the model is gone, its measurements are not
    finally:
        shutil.move(gone / "calm-music-without-noise", world / "more")
    assert (tmp_path / "music.md").read_text() == text and changed(kept) == before
    plain = ["reproduce", "music", "--out", str(tmp_path / "music.md"), "--work", str(tmp_path / "none")]
    assert main(plain) == 0  # other models, as many prompts: nothing of it is kept
    assert "calm at 4 steps" not in (tmp_path / "music.md").read_text() and changed(kept) == before
    assert "no --corpus" in capsys.readouterr().err


@pytest.mark.timeout(300)
def test_other_weights_are_measured_again_and_only_they(world: Path, tmp_path: Path) -> None:
    asked = [*music_world.options(world, tmp_path), "--sections", "multiplier", "--seeds", "0"]
    assert main(asked) == 0
    text = (tmp_path / "music.md").read_text()
    assert "calm-music-multiplier-8-at-50 at 10 steps before calm-music-multiplier-1-at-50 at 10 steps" in text
    before = changed(tmp_path / "music")
    weights = world / "more" / "calm-music-multiplier-8-at-50" / "model.safetensors"
    tensors = load_file(weights)
    save_file({name: value + 0.01 * torch.ones_like(value) for name, value in tensors.items()}, weights)
    assert main(asked) == 0
    after = changed(tmp_path / "music")
    assert {name for name in after if after[name] != before.get(name)} == {
        "continuation-calm-music-multiplier-8-at-50-at-10-steps.json"
    }


def test_seeds_are_made_together_and_are_those_of_each_alone(world: Path) -> None:
    piece = HeldOut(world / "corpus").pieces[0]
    player = Music(str(world / "rq"))
    prompt = piece.part(0.0, 1.0)
    together = player.go_on(3, prompt, 0.4, (0, 1, 5))
    assert list(together) == [0, 1, 5] and {len(clip.samples) for clip in together.values()} == {12_800}
    assert (player.go_on(3, prompt, 0.4, (1,))[1].samples == together[1].samples).all()
    assert not (together[5].samples == together[1].samples).all()
    assert not (player.go_on(4, prompt, 0.4, (1,))[1].samples == together[1].samples).all()


def test_a_finished_run_is_opened_with_the_sizes_of_a_model(world: Path) -> None:
    run = str(world / "more" / "calm-music-without-short-context")
    with pytest.raises(InputError, match="calm package"), openable(run):
        pass
    made = Music(run, like=str(world / "calm")).go_on(0, HeldOut(world / "corpus").pieces[0].part(0, 1), 0.2, (0,), 1)
    assert made[0].seconds == pytest.approx(0.2)


def test_pieces_are_those_that_nobody_trained_on(world: Path, tmp_path: Path) -> None:
    held_out = HeldOut(world / "corpus")
    assert [piece.name[0] for piece in held_out.pieces] == ["h"] * 9 + ["v"] * 3
    judged = held_out.judged(4, 3.0, "--prompts")
    assert [piece.name for piece in judged] == ["h0", "h1", "h2", "h3"]
    assert [piece.name for piece in held_out.others(judged, 3.0)] == ["h4", "h5", "h6", "h7", "h8", "v0", "v1", "v2"]
    assert judged[1].part(6.5, 2.0).seconds == pytest.approx(0.5) and judged[1].caption.startswith("a high whistle")
    with pytest.raises(InputError, match=r"Only 9 held-out pieces .* last 3 s; ask for fewer --prompts"):
        held_out.judged(10, 3.0, "--prompts")
    with pytest.raises(InputError, match="There is no corpus"):
        HeldOut(tmp_path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["--sections", "speech"], "no section 'speech'"),
        (["--calm", "nowhere"], "no model 'nowhere' for --calm"),
        (["--ablations", "nowhere"], "no folder nowhere for --ablations"),
        (["--attributes", "nowhere"], "no file nowhere for --attributes"),
        (["--embedder", "clap:nowhere"], "'clap:nowhere' is not here"),
        (["--corpus", "nowhere"], "no corpus in nowhere"),
        (["--prompts", "20"], "Only 9 held-out pieces"),
        (["--prompts", "1"], "--prompts is 1"),
        (["--sounds", "9"], "--sounds is 9"),
        (["--seconds", "0"], "--seconds is 0"),
        (["--prompt-seconds", "1.01"], "multiple of 0.04"),
        (["--long-seconds", "12"], "multiple of 5"),
        (["--seeds", "1000"], "--seeds must lie"),
        (["--steps", "0"], "--steps must lie"),
        (["--takes", "0"], "--takes is 0"),
    ],
)
def test_faults_are_said_before_any_work(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: list[str], says: str
) -> None:
    assert main([*music_world.options(world, tmp_path), *changes]) == 2
    said = capsys.readouterr().err
    assert says in said and len(said.splitlines()) == 1 and not list(tmp_path.iterdir())
