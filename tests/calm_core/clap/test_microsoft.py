"""Microsoft's CLAP: a file in msclap's layout with random weights, against its definition worked out here.

The same comparison with msclap 1.3.4 itself, at its own sizes, differs by less than 1e-7.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch
from safetensors.torch import load_file, save_file

import calm_core
from calm_core import Audio
from calm_core.clap.microsoft import FILE
from calm_core.errors import InputError

MEL = np.abs(np.random.default_rng(0).standard_normal((513, 64)))


def theirs(name: str) -> str:
    """A name of an HTSAT of transformers as msclap has it."""
    for pattern, new in (
        (r"^batch_norm", "bn0"), (r"attention\.output\.dense", "attn.proj"), (r"layernorm_before", "norm1"),
        (r"layernorm_after", "norm2"), (r"intermediate\.dense", "mlp.fc1"), (r"output\.dense", "mlp.fc2"),
        (r"attention\.self\.", "attn."),
    ):  # fmt: skip
        name = re.sub(pattern, new, name)
    return f"audio_encoder.base.htsat.{name}"


def characters() -> list[str]:
    """A vocabulary of single bytes; as in GPT-2's own, the exclamation mark comes first."""
    from tokenizers.pre_tokenizers import ByteLevel

    return ["!", *sorted(set(ByteLevel.alphabet()) - {"!"})]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.ModuleDict]:
    """The folder, and modules of transformers with the same weights."""
    import transformers
    from transformers.models.clap.modeling_clap import ClapAudioEncoder

    torch.manual_seed(0)
    sound = ClapAudioEncoder(transformers.ClapAudioConfig(
        patch_embeds_hidden_size=8, hidden_size=64, depths=[1, 2, 1, 1], num_attention_heads=[1, 1, 2, 2], window_size=4
    ))  # fmt: skip
    text = transformers.GPT2Model(
        transformers.GPT2Config(vocab_size=300, n_embd=64, n_layer=2, n_head=1, n_positions=80,
                                bos_token_id=256, eos_token_id=256)
    )  # fmt: skip
    linear = {name: torch.nn.Linear(size, 12, bias=False) for name, size in
              (("s1", 64), ("s2", 12), ("t1", 64), ("t2", 12))}  # fmt: skip
    modules = torch.nn.ModuleDict({"sound": sound, "text": text, **linear, "sn": torch.nn.LayerNorm(12),
                                   "tn": torch.nn.LayerNorm(12)}).eval()  # fmt: skip
    with torch.no_grad():
        for parameter in modules.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
        sound.get_buffer("batch_norm.running_var").fill_(100.0)
    state: dict[str, torch.Tensor] = {}
    for name, tensor in sound.state_dict().items():
        if ".self.query." in name:
            parts = [sound.state_dict()[name.replace("query", part)] for part in ("query", "key", "value")]
            state[theirs(name).replace("query", "qkv")] = torch.cat(parts)
        elif ".self.key." not in name and ".self.value." not in name:
            state[theirs(name)] = tensor
    state |= {f"caption_encoder.base.{name}": tensor for name, tensor in text.state_dict().items()}
    state["caption_encoder.base.h.0.attn.bias"] = torch.ones(1, 1, 80, 80)  # a mask of older versions
    for tower, letter in (("audio", "s"), ("caption", "t")):
        for theirs_, ours in (("linear1", "1"), ("linear2", "2"), ("layer_norm", "n")):
            for name, tensor in modules[letter + ours].state_dict().items():
                state[f"{tower}_encoder.projection.{theirs_}.{name}"] = tensor
    htsat = "audio_encoder.base.htsat"
    state |= {f"{htsat}.logmel_extractor.melW": torch.from_numpy(MEL).float(), "logit_scale": torch.tensor(1.0),
              f"{htsat}.tscam_conv.weight": torch.ones(3), f"{htsat}.head.weight": torch.ones(3),
              f"{htsat}.spectrogram_extractor.stft.conv_real.weight": torch.ones(2)}  # fmt: skip
    folder = tmp_path_factory.mktemp("msclap")
    save_file({name: tensor.clone().contiguous() for name, tensor in state.items()}, folder / FILE)
    vocabulary = {name: number for number, name in enumerate([*characters(), "<|endoftext|>"])}
    transformers.GPT2Tokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    return folder, modules


def project(modules: torch.nn.ModuleDict, letter: str, x: torch.Tensor) -> torch.Tensor:
    first = modules[letter + "1"](x)
    y = modules[letter + "n"](first + modules[letter + "2"](torch.nn.functional.gelu(first)))
    return y / y.norm(dim=-1, keepdim=True)


def test_sounds_and_captions_are_where_the_definition_puts_them(made: tuple[Path, torch.nn.ModuleDict]) -> None:
    folder, modules = made
    clap = calm_core.load(str(folder), task="clap")
    assert (clap.width, clap.sample_rate, clap.seconds) == (12, 44_100, 7.0)
    # a second of sound, repeated to seven; frames of 1024 every 320, the ends mirrored
    second = 0.3 * np.random.default_rng(1).standard_normal(44_100)
    wave = np.pad(np.tile(second, 7), 512, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(wave, 1024)[::320] * scipy.signal.get_window("hann", 1024)
    bands = 10 * np.log10(np.maximum(np.abs(np.fft.rfft(frames)) ** 2 @ MEL, 1e-10))
    with torch.inference_mode():
        pooled = modules["sound"](input_features=torch.from_numpy(bands).float()[None, None]).pooler_output
        expected = project(modules, "s", pooled)
        heard = clap.embed_audio(Audio(torch.from_numpy(second).float(), 44_100))
        torch.testing.assert_close(heard, expected, rtol=1e-3, atol=1e-4)
        # the last token is the end of the text
        ids = [characters().index("Ġ" if letter == " " else letter) for letter in "a low hum "] + [256]
        states = modules["text"](input_ids=torch.tensor([ids])).last_hidden_state
        read = clap.embed_text(["a low hum", "a much longer caption than the first"])
        torch.testing.assert_close(read[:1], project(modules, "t", states[:, -1]), rtol=1e-3, atol=1e-4)
    assert clap.embed_windows(Audio(torch.ones(44_100 * 12), 44_100)).shape == (3, 12)
    assert "first 77" in clap.notices(["x" * 100])[0]


def test_another_file_is_refused(made: tuple[Path, torch.nn.ModuleDict], tmp_path: Path) -> None:
    tensors = load_file(made[0] / FILE)
    save_file({k: v for k, v in tensors.items() if "wte" not in k}, tmp_path / FILE)
    with pytest.raises(InputError, match="the one of 2022 is not read"):
        calm_core.load(str(tmp_path), task="clap")
    save_file(tensors, tmp_path / FILE)
    with pytest.raises(InputError, match="no tokenizer"):
        calm_core.load(str(tmp_path), task="clap")
    for file in made[0].glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors.pop("audio_encoder.projection.layer_norm.bias")
    save_file(tensors, tmp_path / FILE)
    with pytest.raises(InputError, match=r"sound_out\.layer_norm\.bias"):
        calm_core.load(str(tmp_path), task="clap")
