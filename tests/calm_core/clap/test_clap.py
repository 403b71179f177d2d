"""CLAP as it is loaded: any sound, any caption, and one sentence where neither will do."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import calm_core
from calm_core import Audio, Clap
from calm_core.errors import InputError
from tests.calm_core.clap import sounds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of ours with random weights, as `calm package` leaves it."""
    folder = tmp_path_factory.mktemp("clap") / "tiny-clap"
    folder.mkdir()
    save_file(sounds.build().state_dict(), folder / "model.safetensors")
    sounds.write_tokenizer(folder / "tokenizer.model")
    (folder / "config.yaml").write_text(yaml.safe_dump(sounds.model("tokenizer.model")))
    return folder


@pytest.fixture(scope="module")
def clap(folder: Path) -> Clap:
    return calm_core.load(str(folder), task="clap")


def audio(kind: str = "hum", seconds: float = 3.0, rate: int = 16_000) -> Audio:
    return Audio(torch.from_numpy(sounds.sound(kind, seconds, np.random.default_rng(1), rate)).float(), rate)


def test_it_says_what_it_hears(clap: Clap) -> None:
    assert (clap.width, clap.sample_rate, clap.seconds) == (16, 8000, 2.0)
    assert (clap.info.task, clap.info.source) == ("clap", "local")
    both = clap.embed_audio([audio("hum"), audio("hiss", 0.5)])
    assert both.shape == (2, 16) and both.dtype == torch.float32
    torch.testing.assert_close(both.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(clap.embed_audio(audio("hiss", 0.5))[0], both[1])
    texts = clap.embed_text(["A low  HUM", "a low hum", "white noise"])
    assert torch.equal(texts[0], texts[1]) and not torch.allclose(texts[0], texts[2])
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(3))


def test_channels_and_rates_do_not_matter(clap: Clap) -> None:
    one = audio("hum", 2.0)
    wide = Audio(torch.stack([one.samples, one.samples]), one.sample_rate)
    torch.testing.assert_close(clap.embed_audio(wide), clap.embed_audio(one), rtol=1e-4, atol=1e-5)
    for rate in (8000, 48_000):
        assert (clap.embed_audio(audio("hum", 2.0, rate)) @ clap.embed_audio(one).T).item() > 0.99


def test_windows_and_silence(clap: Clap) -> None:
    assert clap.embed_windows(audio("hum", 4.0)).shape == (3, 16)
    assert clap.embed_windows(Audio(torch.zeros(16_000), 16_000)).isfinite().all()


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        (Audio(torch.zeros(16_000), 16_000), "silent"),
        (audio("hum", 0.1), "0.10 s"),
        (Audio(torch.zeros(0), 16_000), "0.00 s"),
        (Audio(torch.full((8000,), float("nan")), 8000), "not numbers"),
        (Audio(torch.ones(8000 * 601), 8000), "601"),
        ([], "no sound"),
    ],
)
def test_a_sound_that_cannot_be_heard(clap: Clap, sound: Audio, words: str) -> None:
    with pytest.raises(InputError, match=words):
        clap.embed_audio(sound)


@pytest.mark.parametrize(("texts", "words"), [([""], "empty"), ([" \n"], "empty"), (["a" * 5000], "5,000"), ([], "no")])
def test_a_caption_that_cannot_be_read(clap: Clap, texts: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        clap.embed_text(texts)


def test_a_caption_in_another_language_is_embedded_with_a_notice(clap: Clap) -> None:
    strange = ["Ein tiefes Brummen ohne Ende", "низкий гул", "低い音"]
    assert clap.embed_text(strange).isfinite().all()
    assert [len(clap.notices([text])) for text in strange] == [1, 1, 1]
    assert "English" in clap.notices(strange)[0]
    assert not clap.notices(["a low hum", "white noise, 120", "the hiss of a radio!"])
    (long,) = clap.notices(["a low hum and " * 20])
    assert "only the first 32" in long


def test_what_is_not_a_clap(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="float16"):
        calm_core.load(str(folder), task="clap", precision="float16")
    with pytest.raises(InputError, match="has no codec"):
        calm_core.load(str(folder), task="codec")
    with pytest.raises(InputError, match="cannot speak"):
        calm_core.load(str(folder), task="tts")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**sounds.model("t.model"), "wide": 3}))
    with pytest.raises(InputError, match="unknown key 'wide'"):
        calm_core.load(str(tmp_path), task="clap")
    with pytest.raises(InputError, match="There is no task"):
        calm_core.load(str(folder), task="clop")  # type: ignore[call-overload]
    with pytest.raises(InputError, match="pickled"):
        calm_core.load("hf://microsoft/msclap", task="clap")


# --------------------------------------------------------------------------- through transformers


@pytest.fixture(scope="module", params=["rand_trunc", "fusion"])
def laion(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `ClapModel` with random weights in the layout that LAION publishes, with the feature fusion and without it."""
    import transformers
    from tokenizers.pre_tokenizers import ByteLevel

    folder = tmp_path_factory.mktemp("laion")
    fuses = request.param == "fusion"
    text = {
        "vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
        "max_position_embeddings": 40, "pad_token_id": 1, "projection_dim": 12,
    }  # fmt: skip
    heard = {
        "num_mel_bins": 32, "spec_size": 64, "window_size": 2, "patch_size": 4, "patch_stride": [4, 4],
        "patch_embeds_hidden_size": 8, "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2], "hidden_size": 64,
        "projection_dim": 12, "enable_fusion": fuses, "fusion_type": None, "num_classes": 4,
        "aff_block_r": 4,
    }  # fmt: skip
    torch.manual_seed(0)
    model = transformers.ClapModel(
        transformers.ClapConfig(text_config=text, audio_config=heard, projection_dim=12)  # type: ignore[arg-type]
    )
    model.save_pretrained(folder)
    transformers.ClapFeatureExtractor(
        feature_size=32, sampling_rate=8000, hop_length=100, max_length_s=1, fft_window_size=256, frequency_max=4000,
        truncation=request.param,
    ).save_pretrained(folder)  # fmt: skip
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(ByteLevel.alphabet())]
    vocabulary = {name: number for number, name in enumerate(names)}
    transformers.RobertaTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    return folder


def test_a_model_of_transformers_has_the_same_interface(laion: Path) -> None:
    clap = calm_core.load(str(laion), task="clap")
    assert (clap.width, clap.sample_rate, clap.seconds) == (12, 8000, 1.0)
    assert clap.info.task == "clap" and clap.info.parameters
    heard = [audio("hum", 1.0), audio("hiss", 0.7), audio("clicks", 12.0)]
    sound = clap.embed_audio(heard)
    assert sound.shape == (3, 12) and sound.dtype == torch.float32
    torch.testing.assert_close(sound.norm(dim=1), torch.ones(3))
    np.random.seed(3)  # transformers draws from the global generator; nothing of ours may depend on it
    assert torch.equal(clap.embed_audio(heard), sound)
    assert clap.embed_windows(audio("clicks", 12.0)).shape == (23, 12)
    texts = clap.embed_text(["A low hum", "a high whistle and more", "x" * 100])
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(clap.embed_text(["A low hum"])[0], texts[0], rtol=1e-4, atol=1e-5)
    (long,) = clap.notices(["x" * 100])
    assert "only the first 38" in long


def test_it_hears_what_transformers_hears(laion: Path) -> None:
    """One window, against the model's own classes."""
    import transformers

    model = transformers.ClapModel.from_pretrained(laion)
    extractor = transformers.ClapFeatureExtractor.from_pretrained(laion)
    tokenizer = transformers.AutoTokenizer.from_pretrained(laion)
    wave = audio("whistle", 1.0, 8000)
    inputs = extractor(wave.samples.double().numpy(), sampling_rate=8000, return_tensors="pt")
    with torch.inference_mode():
        theirs: Any = model.get_audio_features(
            input_features=inputs["input_features"].float(), is_longer=torch.zeros(1, 1, dtype=torch.bool)
        )
        words: Any = model.get_text_features(**tokenizer(["a high whistle"], return_tensors="pt"))
    clap = calm_core.load(str(laion), task="clap")
    torch.testing.assert_close(clap.embed_audio(wave), theirs.pooler_output)
    torch.testing.assert_close(clap.embed_text(["a high whistle"]), words.pooler_output)


def test_weights_that_are_missing_are_not_made_up(laion: Path, tmp_path: Path) -> None:
    for file in laion.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    tensors.pop("audio_projection.linear1.weight")
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"audio_projection\.linear1\.weight"):
        calm_core.load(str(tmp_path), task="clap")
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, "projection_dim": 7}))
    with pytest.raises(InputError, match="cannot be loaded"):
        calm_core.load(str(tmp_path), task="clap")
    with pytest.raises(InputError, match="cannot be loaded"):  # offline, and not in the cache
        calm_core.load("hf://laion/larger_clap_music", task="clap")


def test_a_model_of_music_finds_the_clap_beside_it_and_follows_its_captions(folder: Path) -> None:
    from tests.calm_core import tiny

    beside = folder.parent / "music"
    beside.mkdir()
    save_file(tiny.build_music().state_dict(), beside / "model.safetensors")
    (beside / "config.yaml").write_text(yaml.safe_dump(tiny.music(clap=f"../{folder.name}")))
    music = calm_core.load(str(beside), task="clap_to_music")
    clap = calm_core.load(str(folder), task="clap")
    torch.testing.assert_close(music.embedding("a low hum"), clap.embed_text(["a low hum"]))
    low, same, hiss = (music.generate(said, 0.5, seed=1) for said in ("a low hum", "a low hum", "white noise"))
    assert torch.equal(low.samples, same.samples) and not torch.equal(low.samples, hiss.samples)
