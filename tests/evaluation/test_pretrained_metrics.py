"""Pretrained models are made here: tiny ones with random weights, saved in the layout of those that are published."""

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError
from evaluation.metrics import Choices, find_metric
from evaluation.metrics.dnsmos import Dnsmos, find_dnsmos, opinions, windows
from evaluation.metrics.embedders import find_text_embedder
from evaluation.metrics.perplexity import find_language_model
from evaluation.metrics.recognition import find_recogniser
from evaluation.metrics.speaker import find_encoder
from evaluation.metrics.utmos import Utmos, encoder_name, find_utmos
from evaluation.metrics.whisper import quiet_cuts

NOISE = make_clip("noise.wav", 0.1 * np.random.default_rng(0).standard_normal(16_000), 16_000)
SILENCE = make_clip("silence.wav", np.zeros(16_000), 16_000)


def characters() -> dict[str, int]:
    from tokenizers.pre_tokenizers import ByteLevel

    return {character: number for number, character in enumerate(sorted(ByteLevel.alphabet()))}


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import transformers

    folder = tmp_path_factory.mktemp("whisper")
    end = 256
    tokenizer = transformers.WhisperTokenizer(vocab=characters() | {"<|endoftext|>": end}, merges=[])
    marks = [f"<|{mark}|>" for mark in "startoftranscript en translate transcribe startoflm startofprev".split()]
    marks += ["<|nospeech|>", "<|notimestamps|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    numbers = {mark: tokenizer.get_vocab()[mark] for mark in marks}
    start, english, translate, transcribe, *_, plain = numbers.values()
    torch.manual_seed(0)
    model = transformers.WhisperForConditionalGeneration(
        transformers.WhisperConfig(
            vocab_size=len(tokenizer),
            d_model=8,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=8,
            decoder_ffn_dim=8,
            max_target_positions=16,
            pad_token_id=end,
            bos_token_id=end,
            eos_token_id=end,
            decoder_start_token_id=start,
        )
    )
    model.generation_config = transformers.GenerationConfig(
        is_multilingual=True,
        lang_to_id={"<|en|>": english},
        task_to_id={"transcribe": transcribe, "translate": translate},
        no_timestamps_token_id=plain,
        decoder_start_token_id=start,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        max_length=16,
        suppress_tokens=list(range(97)) + list(range(256, len(tokenizer))),
    )
    model.save_pretrained(folder)
    transformers.WhisperProcessor(transformers.WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def wavlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import transformers

    folder = tmp_path_factory.mktemp("wavlm")
    torch.manual_seed(0)
    transformers.WavLMForXVector(
        transformers.WavLMConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            conv_dim=(8,) * 7,
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=2,
            tdnn_dim=(8, 8, 8, 8, 16),
            xvector_output_dim=12,
        )
    ).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import transformers

    folder = tmp_path_factory.mktemp("causal")
    tokenizer = transformers.GPT2Tokenizer(vocab=characters() | {"<|endoftext|>": 256}, merges=[])
    tokenizer.save_pretrained(folder)
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=257, n_positions=32, n_embd=8, n_layer=1, n_head=2)
    )
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)  # all tokens are equally likely
    model.save_pretrained(folder)
    return folder


def test_whisper_hears_the_same_each_time_and_nothing_in_silence(whisper: Path) -> None:
    recogniser = find_recogniser(f"whisper:{whisper}")
    heard = recogniser(NOISE)
    assert heard and heard == recogniser(Clip("again", NOISE.samples, 16_000))
    assert recogniser(SILENCE) == ""
    assert recogniser(make_clip("later", np.concatenate([np.zeros(31 * 16_000), NOISE.samples]), 16_000))
    wer = find_metric("wer").load(Choices(recogniser=f"whisper:{whisper}"))
    said = Clip("said.wav", NOISE.samples, 16_000, "words that nobody said")
    assert wer(said, SILENCE) == 1


def test_whisper_of_english_alone_is_not_told_the_language(whisper: Path, tmp_path: Path) -> None:
    import json
    import shutil

    shutil.copytree(whisper, tmp_path / "en")
    path = tmp_path / "en" / "generation_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(settings | {"is_multilingual": False}), encoding="utf-8")
    assert find_recogniser(f"whisper:{tmp_path / 'en'}")(NOISE)


def test_long_clips_are_cut_where_they_are_quiet() -> None:
    rate = 100
    samples = np.ones(70 * rate)
    samples[27 * rate : 28 * rate] = samples[55 * rate : 56 * rate] = 0.01
    parts = quiet_cuts(samples, rate)
    assert [start for start, _ in parts][1:] == [
        2705,
        5510,
    ]  # middles of the first wholly quiet 0.1 s, counted from 25 and 52.05
    assert parts[0][0] == 0 and parts[-1][1] == len(samples)
    assert all(before[1] == after[0] for before, after in pairwise(parts))
    assert all(0 < stop - start <= 30 * rate for start, stop in quiet_cuts(np.ones(100 * rate), rate))
    assert quiet_cuts(samples[: 30 * rate], rate) == [(0, 30 * rate)]


def test_wavlm_embeds_voices_whatever_their_loudness(wavlm: Path) -> None:
    encoder = find_encoder(f"wavlm:{wavlm}")
    vector = encoder(NOISE)
    assert vector.shape == (12,) and np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    louder = Clip("louder.wav", 3 * NOISE.samples, 16_000)  # its extractor brings samples to variance 1
    choices = Choices(speaker_model=f"wavlm:{wavlm}")
    assert find_metric("speaker_similarity").load(choices)(NOISE, louder) == pytest.approx(1, abs=1e-4)
    for clip in (SILENCE, make_clip("crumb.wav", np.ones(4000), 16_000)):
        with pytest.raises(InputError, match=rf"No voice was found in {clip.item}"):
            encoder(clip)


def test_a_causal_model_without_a_preference_has_the_perplexity_of_its_vocabulary(causal: Path) -> None:
    model = find_language_model(f"causal:{causal}")
    found = model.surprise("Hello.")
    assert found is not None and found.tokens == 6  # the mark of the start is not predicted
    assert found.perplexity == pytest.approx(257, rel=1e-5)
    assert model.surprise("  ") is None
    with pytest.raises(InputError, match=r"41 tokens and .* reads 32"):
        model.surprise("x" * 40)


def test_a_model_of_another_kind_or_none_is_refused(whisper: Path, wavlm: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot load .*nowhere"):
        find_recogniser(f"whisper:{tmp_path / 'nowhere'}")
    with pytest.raises(InputError, match=r"cannot (load|use) "):
        find_recogniser(f"whisper:{wavlm}")
    import transformers

    config = transformers.WavLMConfig.from_pretrained(wavlm)
    transformers.WavLMModel(config).save_pretrained(tmp_path / "headless")
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "headless")
    with pytest.raises(InputError, match=r"lacks \d+ weights of WavLMForXVector"):
        find_encoder(f"wavlm:{tmp_path / 'headless'}")
    for find, name in ((find_recogniser, "sphinx"), (find_recogniser, "whisper:"), (find_encoder, "wavlm")):
        with pytest.raises(InputError, match=rf"no (recogniser|speaker model) '{name}'"):
            find(name)


@pytest.mark.parametrize("find", [find_recogniser, find_encoder, find_language_model])
def test_without_transformers_there_is_one_line(find: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = {find_recogniser: "whisper", find_encoder: "wavlm", find_language_model: "causal"}[find]
    monkeypatch.setitem(sys.modules, "transformers", None)  # what Python does where a package is not installed
    with pytest.raises(InputError, match=r"\(transformers\): pip install transformers=="):
        find(f"{kind}:not/cached")


def test_dnsmos_looks_through_windows_of_nine_seconds_one_a_second() -> None:
    ramp = np.arange(11.5 * 16_000)
    found = windows(ramp)
    assert found.shape == (2, 144_160)  # the published script leaves out the third, which would still fit
    assert found[:, 0].tolist() == [0, 16_000]
    assert windows(np.arange(9.01 * 16_000)).shape == (1, 144_160)
    short = windows(np.arange(5.0 * 16_000))[0]  # doubled to 10 s
    assert short[80_000] == 0 and short[-1] == 144_160 - 80_000 - 1


def test_dnsmos_fits_by_hand() -> None:
    found = opinions(np.array([[4.0, 4.0, 4.0], [2.0, 2.0, 2.0]]))
    assert found["sig"] == pytest.approx(((-1.34356448 + 4.88335812) + (-0.33589112 + 2.44167906)) / 2 + 0.0052439)
    assert found["bak"] == pytest.approx(((-2.10670208 + 6.43662056) + (-0.52667552 + 3.21831028)) / 2 - 0.39604546)
    assert found["ovr"] == pytest.approx(((-1.08260528 + 4.46185872) + (-0.27065132 + 2.23092936)) / 2 + 0.04602535)


@pytest.fixture(scope="module")
def dnsmos_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of Microsoft's signature whose raw scores are 100 times the mean sample, times 1, 2 and 3."""
    import onnx
    from onnx import TensorProto, helper

    weights = helper.make_tensor("w", TensorProto.FLOAT, [1, 3], [100.0, 200.0, 300.0])
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["input_1"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("MatMul", ["mean", "w"], ["scores"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("input_1", TensorProto.FLOAT, ["n", 144_160])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3])],
        [weights],
    )
    path = tmp_path_factory.mktemp("dnsmos") / "sig_bak_ovr.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_dnsmos_runs_a_network_of_that_signature(dnsmos_file: Path, tmp_path: Path) -> None:
    level = make_clip("level.wav", np.full(16_000, 0.01), 16_000)
    assert Dnsmos(dnsmos_file)(level) == pytest.approx(opinions(np.array([[1.0, 2.0, 3.0]])), rel=1e-3)
    collector = find_metric("dnsmos").collector(Choices(mos_models=(str(dnsmos_file),)))
    collector.add(level)
    rows = collector.rows()
    assert [row[:2] for row in rows[:2]] == [("level.wav", "dnsmos"), ("mean", "dnsmos")]
    with pytest.raises(InputError, match=r"silence\.wav: it is silent"):
        collector.add(SILENCE)
    (tmp_path / "other.onnx").write_bytes(b"not a network")
    for models, says in (
        ((str(tmp_path / "other.onnx"),), "not a DNSMOS"),
        ((str(tmp_path / "none.onnx"),), "There is no model"),
        (("utmos.safetensors",), "needs --mos-model FILE.onnx"),
    ):
        with pytest.raises(InputError, match=says):
            find_dnsmos(models)


def utmos_weights() -> tuple[Any, dict[str, torch.Tensor]]:
    """A tiny encoder of `transformers`, and the same with random heads under the names of utmos22_strong."""
    import transformers

    torch.manual_seed(0)
    encoder = transformers.Wav2Vec2Model(
        transformers.Wav2Vec2Config(
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=1,
            intermediate_size=8,
            conv_dim=(8,) * 7,
            num_conv_pos_embeddings=8,
            num_conv_pos_embedding_groups=4,
        )
    ).eval()
    published = ["layer_norm", "post_extract_proj", "mask_emb", "feature_extractor.conv_layers.0.2"]
    published += [f"feature_extractor.conv_layers.{n}.0" for n in range(7)] + [
        "encoder.pos_conv.0",
        "encoder.layer_norm",
    ]
    parts = [
        f"self_attn.{p}_proj" for p in ("q", "k", "v", "out")
    ] + "self_attn_layer_norm fc1 fc2 final_layer_norm".split()
    published += [f"encoder.layers.{n}.{part}" for n in range(2) for part in parts]
    own = encoder.state_dict()
    weights = {}
    for part in published:
        for name in (part, *(f"{part}.{kind}" for kind in ("weight", "bias", "weight_g", "weight_v"))):
            if encoder_name(name) in own:
                weights[f"wav2vec2.{name}"] = own[encoder_name(name)].clone()
    assert len(weights) == len(own)
    blstm = torch.nn.LSTM(64 + 6, 4, batch_first=True, bidirectional=True)
    weights |= {f"blstm.{name}": value for name, value in blstm.state_dict().items()}
    shapes = {"0.weight": (5, 8), "0.bias": (5,), "2.weight": (1, 5), "2.bias": (1,)}
    weights |= {f"projection.{name}": torch.randn(shape) for name, shape in shapes.items()}
    weights |= {"domain_emb": torch.randn(1, 3), "judge_emb": torch.randn(1, 3)}
    return encoder, {name: value.detach().contiguous() for name, value in weights.items()}


def test_utmos_reads_the_published_names_and_scales_its_score(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    encoder, weights = utmos_weights()
    path = tmp_path / "utmos.safetensors"
    save_file(weights, path)
    predictor = Utmos(path)
    samples = torch.from_numpy(NOISE.samples).float()[None]
    with torch.inference_mode():
        assert torch.equal(predictor._encoder(samples).last_hidden_state, encoder(samples).last_hidden_state)
    assert predictor(NOISE) == predictor(NOISE)
    save_file(weights | {"projection.2.weight": torch.zeros(1, 5), "projection.2.bias": torch.tensor([0.4])}, path)
    assert Utmos(path)(NOISE) == pytest.approx(0.4 * 2 + 3)
    with pytest.raises(InputError, match=r"silence\.wav"):
        predictor(SILENCE)


def test_utmos_refuses_other_weights(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    _, weights = utmos_weights()
    path = tmp_path / "utmos.safetensors"
    for changed in ({}, {"domain_emb": torch.zeros(1, 4)}, {"wav2vec2.mask_emb": torch.zeros(1)}):
        save_file(weights | changed if changed else {"x": torch.zeros(1)}, path)
        with pytest.raises(InputError, match="does not hold the weights of UTMOS"):
            Utmos(path)
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match="does not hold the weights of UTMOS"):
        find_utmos((str(path),))
    with pytest.raises(InputError, match=r"needs --mos-model FILE\.safetensors"):
        find_utmos(("other.onnx",))


@pytest.fixture(scope="module", params=["rand_trunc", "fusion"])
def laion(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import transformers
    from tokenizers.pre_tokenizers import ByteLevel

    folder = tmp_path_factory.mktemp("laion")
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    characters = {mark: number for number, mark in enumerate([*marks, *sorted(ByteLevel.alphabet())])}
    tokenizer = transformers.RobertaTokenizer(vocab=characters, merges=[], model_max_length=20)
    audio = {
        "window_size": 4,
        "num_mel_bins": 64,
        "spec_size": 128,
        "patch_size": 4,
        "patch_embeds_hidden_size": 8,
        "hidden_size": 16,
        "depths": [1, 1],
        "num_attention_heads": [1, 1],
        "num_classes": 2,
        "enable_fusion": request.param == "fusion",
    }
    text = {
        "vocab_size": len(characters),
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
        "max_position_embeddings": 32,
    }
    torch.manual_seed(0)
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=12)
    transformers.ClapModel(config).save_pretrained(folder)
    extractor = transformers.ClapFeatureExtractor(
        feature_size=64, max_length_s=1, truncation=request.param, padding="repeatpad"
    )
    transformers.ClapProcessor(extractor, tokenizer).save_pretrained(folder)
    return folder


def test_laion_clap_embeds_windows_and_texts_into_one_space(laion: Path) -> None:
    embedder = find_text_embedder(f"laion:{laion}")
    long = Clip("long.wav", np.tile(NOISE.samples, 2), 16_000)
    found = embedder(long)
    assert found.shape == (3, 12)  # windows of 1 s begin every half second
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert embedder(Clip("again", long.samples, 16_000)) == pytest.approx(found, abs=1e-5)
    texts = embedder.embed_text(["a drum", "a flute that plays for much longer than the model reads"])
    assert texts.shape == (2, 12) and np.linalg.norm(texts, axis=1) == pytest.approx(np.ones(2), abs=1e-5)
    with pytest.raises(InputError, match="is silent"):
        embedder(SILENCE)
    with pytest.raises(InputError, match=r"short\.wav: .*hears 0\.5 to 600 s"):
        embedder(Clip("short.wav", NOISE.samples[:2000], 16_000))
    with pytest.raises(InputError, match="empty"):
        embedder.embed_text([""])
    score = find_metric("clap_score").collector(Choices(embedder=f"laion:{laion}"))
    score.add(Clip("said.wav", NOISE.samples, 16_000, "a noise"))
    assert -1 <= score.rows()[0][2] <= 1
