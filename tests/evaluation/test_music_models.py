"""Networks of music metrics, tiny ones with random weights of the published layouts; the classifier of attributes."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from evaluation.__main__ import main
from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError
from evaluation.metrics import Choices, attributes, find_metric
from evaluation.metrics.attributes import AttributeClassifier, corpus_vectors, find_classifier
from evaluation.metrics.captioned import Attributes
from evaluation.metrics.embedders import find_embedder, find_text_embedder, mel_statistics
from evaluation.metrics.panns import Cnn14
from evaluation.metrics.tagging import find_tagger
from evaluation.metrics.vggish import log_mel_patches

RNG = np.random.default_rng(0)
NOISE = make_clip("noise.wav", 0.1 * RNG.standard_normal(2 * 16_000), 16_000)
TONE = make_clip("tone.wav", 0.1 * np.sin(2 * np.pi * 1000 * np.arange(2 * 16_000) / 16_000), 16_000)
SHORT = make_clip("short.wav", np.ones(2000), 16_000)


def drawn(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(sum(shape)).standard_normal(shape)).float() / np.sqrt(
        np.prod(shape[1:])
    )


@pytest.fixture(scope="module")
def vggish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    widths = dict(zip((0, 3, 6, 8, 11, 13), ((1, 2), (2, 3), (3, 4), (4, 4), (4, 5), (5, 5)), strict=True))
    weights = {f"features.{place}.weight": drawn(after, before, 3, 3) for place, (before, after) in widths.items()}
    weights |= {f"features.{place}.bias": drawn(after) for place, (_, after) in widths.items()}
    for place, before, after in ((0, 5 * 6 * 4, 8), (2, 8, 8), (4, 8, 6)):
        weights |= {f"embeddings.{place}.weight": drawn(after, before), f"embeddings.{place}.bias": drawn(after)}
    path = tmp_path_factory.mktemp("vggish") / "vggish.safetensors"
    save_file(weights, path)
    return path


@pytest.fixture(scope="module")
def pann(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = {"logmel_extractor.melW": drawn(513, 64).abs(), "spectrogram_extractor.stft.conv_real.weight": drawn(3)}

    def norm(name: str, width: int) -> dict[str, torch.Tensor]:
        return {
            f"{name}.weight": torch.ones(width),
            f"{name}.bias": 0.1 * drawn(width),
            f"{name}.running_mean": 0.1 * drawn(width),
            f"{name}.running_var": torch.ones(width),
            f"{name}.num_batches_tracked": torch.tensor(7),
        }

    weights |= norm("bn0", 64)
    weights["bn0.running_var"] *= 400  # decibels are large
    for number in range(1, 7):
        for place, before in ((1, 1 if number == 1 else number + 1), (2, number + 2)):
            weights[f"conv_block{number}.conv{place}.weight"] = 2 * drawn(number + 2, before, 3, 3)
            weights |= norm(f"conv_block{number}.bn{place}", number + 2)
    weights |= {"fc1.weight": drawn(8, 8), "fc1.bias": drawn(8)}
    weights |= {"fc_audioset.weight": drawn(5, 8), "fc_audioset.bias": drawn(5)}
    path = tmp_path_factory.mktemp("pann") / "cnn14.safetensors"
    save_file(weights, path)
    return path


def test_patches_of_vggish_put_a_tone_into_its_band() -> None:
    patches = log_mel_patches(TONE.samples)
    assert patches.shape == (2, 96, 64)
    # 64 bands between 125 and 7500 Hz in mel 1127 ln(1 + f / 700); 1000 Hz lies nearest to the 20th centre
    edges = np.linspace(1127 * np.log1p(125 / 700), 1127 * np.log1p(7500 / 700), 66)
    assert patches.mean(axis=(0, 1)).argmax() == np.abs(edges[1:-1] - 1127 * np.log1p(1000 / 700)).argmin() == 19
    assert patches.min() >= np.log(0.01)
    assert log_mel_patches(np.zeros(100)).shape == log_mel_patches(np.zeros(15_000)).shape == (0, 96, 64)


def test_vggish_has_an_embedding_a_patch(vggish: Path) -> None:
    embedder = find_embedder(f"vggish:{vggish}")
    found = embedder(NOISE)
    assert found.shape == (2, 6) and (found < 0).any()  # no activation after the last layer
    half = Clip("half", NOISE.samples[: len(NOISE.samples) // 2 + 400], 16_000)
    assert embedder(half) == pytest.approx(found[:1], rel=1e-4)
    assert find_embedder(f"vggish:{vggish.parent}")(NOISE) == pytest.approx(found)
    with pytest.raises(InputError, match=r"at least 0\.975 s"):
        embedder(SHORT)


def test_vggish_flattens_channels_last_as_tensorflow_does(vggish: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    weights = load_file(vggish)
    # the network becomes: the first output is the value of channel 2 at the first time and band
    for name, values in weights.items():
        values.zero_()
        if name.endswith("bias") and name.startswith("features.13"):
            values.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    weights["embeddings.0.weight"][0, 2] = weights["embeddings.2.weight"][0, 0] = weights["embeddings.4.weight"][
        0, 0
    ] = 1
    save_file(weights, tmp_path / "marked.safetensors")
    assert find_embedder(f"vggish:{tmp_path / 'marked.safetensors'}")(NOISE)[:, 0] == pytest.approx([3, 3])


def test_cnn14_gives_probabilities_of_the_whole_clip(pann: Path) -> None:
    tagger = find_tagger(f"pann:{pann}")
    (noise,), (tone,) = tagger(NOISE), tagger(TONE)
    assert noise.shape == (5,) and noise.sum() == pytest.approx(1) and (noise > 0).all()
    assert np.abs(noise - tone).max() > 1e-4
    score = find_metric("kld").load(Choices(tagger=f"pann:{pann}"))
    assert score(NOISE, NOISE) == pytest.approx(0, abs=1e-4) and score(NOISE, TONE) > score(NOISE, NOISE)
    with pytest.raises(InputError, match=r"at least 0\.32 s"):
        tagger(SHORT)


def test_cnn14_hears_power_in_decibels(pann: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    weights = load_file(pann)
    weights["bn0.running_mean"] += 20 * np.log10(2)
    save_file(weights, tmp_path / "louder.safetensors")
    louder = Clip("louder", 2 * NOISE.samples, 16_000)
    (found,), (plain,) = find_tagger(f"pann:{tmp_path / 'louder.safetensors'}")(louder), Cnn14(str(pann))(NOISE)
    assert found == pytest.approx(plain, rel=1e-4)


def test_weights_of_another_network_are_refused(vggish: Path, pann: Path, tmp_path: Path) -> None:
    for name, says in (
        (f"vggish:{pann}", "does not hold the weights of VGGish"),
        ("vggish:nowhere.safetensors", "finds no weights"),
        (f"vggish:{tmp_path}", "finds 0 .safetensors files"),
    ):
        with pytest.raises(InputError, match=says):
            find_embedder(name)
    with pytest.raises(InputError, match="does not hold the weights of CNN14"):
        find_tagger(f"pann:{vggish}")
    (tmp_path / "broken.safetensors").write_bytes(b"broken")
    with pytest.raises(InputError, match="cannot read"):
        find_embedder(f"vggish:{tmp_path / 'broken.safetensors'}")


@pytest.mark.parametrize(
    ("says", "find"),
    [
        ("no embedder 'openl3'", lambda: find_embedder("openl3")),
        ("no embedder 'laion:'", lambda: find_embedder("laion:")),
        ("cannot be used .*--embedder mel needs none", lambda: find_embedder("clap:nowhere")),
        ("reads no text", lambda: find_text_embedder("mel")),
        ("no tagger 'passt'", lambda: find_tagger("passt")),
        ("give --attributes FILE", lambda: find_tagger("attributes")),
    ],
)
def test_what_is_not_there_is_one_sentence(says: str, find: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALM_OFFLINE", "1")
    monkeypatch.setattr(attributes, "BUNDLED", Path("nowhere.safetensors"))
    with pytest.raises(InputError, match=says):
        find()


PLAYERS = ("bass", "drums", "flute")


def made_up(count: int, seed: int) -> tuple[np.ndarray, list[Attributes]]:
    """Embeddings of which three dimensions say the genre, three the instruments; mood is said by none."""
    rng = np.random.default_rng(seed)
    genre, playing, mood = rng.integers(0, 3, count), rng.random((count, 3)) < 0.5, rng.integers(0, 2, count)
    vectors = np.concatenate([np.eye(3)[genre], playing, rng.standard_normal((count, 2))], axis=1)
    vectors += 0.1 * rng.standard_normal(vectors.shape)
    described = [
        Attributes(
            genre="abc"[genre[n]],
            mood=("calm", "glad")[mood[n]],
            instruments=tuple(name for name, plays in zip(PLAYERS, playing[n], strict=True) if plays),
        )
        for n in range(count)
    ]
    return vectors, described


def test_the_classifier_learns_what_embeddings_say_and_no_more(tmp_path: Path) -> None:
    classifier = AttributeClassifier.fit(*made_up(200, 0), embedder="mel")
    judged = {one.attribute: one for one in classifier.accuracy(*made_up(200, 1))}
    assert judged["genre"].accuracy > 0.98 and judged["genre"].chance < 0.45
    assert judged["instruments"].accuracy > 0.98 and judged["instruments"].chance == 0.5
    assert abs(judged["mood"].accuracy - judged["mood"].chance) < 0.15
    assert "tempo_class" not in judged
    vectors, _ = made_up(5, 2)
    classifier.save(tmp_path / "a.safetensors")
    again = AttributeClassifier.load(tmp_path / "a.safetensors")
    assert again.embedder == "mel" and again.probes["instruments"].labels == PLAYERS
    for attribute, values in classifier.probabilities(vectors).items():
        assert values == pytest.approx(again.probabilities(vectors)[attribute])
    assert classifier.probabilities(vectors)["genre"].sum(axis=1) == pytest.approx(np.ones(5))
    with pytest.raises(InputError, match="width 8"):
        classifier.probabilities(np.ones((1, 3)))
    with pytest.raises(InputError, match="None of the 2 clips differ"):
        AttributeClassifier.fit(np.ones((2, 3)), [Attributes(genre="a"), Attributes(genre="a")])


def test_a_regression_without_penalty_gives_the_shares_by_hand() -> None:
    # one embedding alone: the most likely probabilities are the shares of the labels, three of four and one of four
    vectors = np.zeros((4, 1))
    described = [Attributes(genre=label) for label in "aaab"]
    found = AttributeClassifier.fit(vectors, described).probabilities(vectors[:1])["genre"]
    assert found[0] == pytest.approx([0.75, 0.25], abs=1e-4)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of hissing and humming clips with attributes beside them."""
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(6):
        noise = np.random.default_rng(number).standard_normal(16_000)
        hum = np.sin(2 * np.pi * (200 + 10 * number) * np.arange(16_000) / 16_000) + 0.01 * noise
        known = {"genre": "hiss" if number % 2 else "hum", "instruments": ["flute"] if number % 2 else ["bass"]}
        soundfile.write(folder / f"{number}.wav", 0.1 * (noise if number % 2 else hum), 16_000)
        (folder / f"{number}.json").write_text(json.dumps(known), encoding="utf-8")
    return folder


def test_from_a_corpus_to_agreement_on_the_command_line(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from evaluation.clips import clips_in

    vectors = {Path(clip.item).stem: mel_statistics(clip).astype(np.float16) for clip in clips_in(sounds)}
    save_arrays({name: vectors[name] for name in "0123"}, tmp_path / "clap-train.safetensors")
    save_arrays({name: vectors[name] for name in "45"}, tmp_path / "clap-heldout.safetensors")
    rows = [
        {"id": path.stem, "attributes": json.loads(path.read_text(encoding="utf-8"))} for path in sounds.glob("*.json")
    ]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    made = tmp_path / "attributes.safetensors"
    arguments = ["--manifest", str(tmp_path / "manifest.jsonl"), "--embedder", "mel", "--out", str(made)]
    arguments += [
        word
        for name, split in (("--embeddings", "train"), ("--judge", "heldout"))
        for word in (name, str(tmp_path / f"clap-{split}.safetensors"))
    ]
    assert main(["attributes", *arguments]) == 0
    assert "| genre       | 1.000    | 0.500  | 2     |" in capsys.readouterr().out

    folders = ["--reference-dir", str(sounds), "--degraded-dir", str(sounds)]
    monkeypatch.setattr(attributes, "BUNDLED", made)  # the default of both metrics
    arguments = ["attribute_agreement", "kld", *folders, "--out", str(tmp_path / "r.csv")]
    assert main(["metrics", *arguments]) == 0
    with open(tmp_path / "r.csv", encoding="utf-8") as file:
        means = {row["metric"]: float(row["value"]) for row in csv.DictReader(file) if row["item"] == "mean"}
    assert means["genre_agreement"] == means["instrument_f1"] == means["instrument_recall"] == 1
    assert means["kld"] == pytest.approx(0, abs=1e-4)
    kld = find_metric("kld").load(Choices(attributes=made))
    hum, hiss = list(clips_in(sounds))[:2]
    assert kld(hum, hiss) > 1


def test_a_classifier_knows_its_embedder_again(tmp_path: Path) -> None:
    def other(scale: float) -> Any:
        return lambda clip: mel_statistics(clip) * (1 + scale * np.cos(np.arange(40)))

    rng = np.random.default_rng(0)
    described = [Attributes(genre="ab"[n % 2]) for n in range(8)]
    made = AttributeClassifier.fit(rng.standard_normal((8, 40)), described, embedder="mel")
    assert made.drift(mel_statistics) == 0  # nothing is known of it yet
    made.remember(mel_statistics)
    assert made.drift(mel_statistics) == 0 and 0.001 < made.drift(other(0.01)) < 0.02 < 0.2 < made.drift(other(0.5))
    assert made.drift(lambda clip: mel_statistics(clip)[:, :5]) == np.inf
    with pytest.raises(InputError, match=r"width 40 .*these have 5"):
        made.remember(lambda clip: mel_statistics(clip)[:, :5])
    made.save(tmp_path / "same.safetensors")
    assert find_classifier(tmp_path / "same.safetensors").drift(mel_statistics) == 0
    made.remember(other(0.5))
    made.save(tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="another mel than the one that is here; train it again"):
        find_classifier(tmp_path / "other.safetensors")


@pytest.mark.bundled
def test_the_bundled_classifier_is_small_and_fits_the_bundled_clap() -> None:
    assert attributes.BUNDLED.stat().st_size < 1_000_000
    assert set(find_classifier().probes) == {"genre", "mood", "tempo_class", "instruments"}
    kld = find_metric("kld").load()
    assert kld(TONE, TONE) == pytest.approx(0, abs=1e-3) and kld(TONE, NOISE) > 0.01


def test_files_that_do_not_fit_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"id": "one"}\n', encoding="utf-8")
    save_arrays({"two": np.ones((1, 2), np.float32)}, tmp_path / "e.safetensors")
    with pytest.raises(InputError, match="No row of"):
        corpus_vectors(tmp_path / "e.safetensors", tmp_path / "m.jsonl")
    (tmp_path / "m.jsonl").write_text("[]\n", encoding="utf-8")
    with pytest.raises(InputError, match="Line 1 of"):
        corpus_vectors(tmp_path / "e.safetensors", tmp_path / "m.jsonl")
    with pytest.raises(InputError, match="is not a classifier"):
        find_classifier(tmp_path / "e.safetensors")
    with pytest.raises(InputError, match="There is no classifier"):
        find_classifier(tmp_path / "none.safetensors")
