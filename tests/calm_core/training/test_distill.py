"""A student learns what guided inference does, and nothing moves the head that reads it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from calm_core.catalogue import find
from calm_core.conditioners.aligned import PHONE_INDEX, AlignedText
from calm_core.config import TTSModelConfig, parse_config
from calm_core.errors import InputError
from calm_core.generate import Row, advance
from calm_core.model import CALM
from calm_core.tasks.loading import load_tts
from calm_core.training.checkpoint import load_fitting
from calm_core.training.distill import DistillationLoss, copied_layers, make_student, read_teacher, teach
from calm_core.training.latents import LatentCorpus, TTSBatch
from calm_core.training.loop import train_recipe
from calm_core.training.package import package
from calm_core.training.recipes import TTSRecipe, read_recipe
from calm_core.training.tts import TTSLoss, open_tokenizer, tell
from calm_core.types import Condition, SamplingParams
from calm_core.voices import Voice
from tests.calm_core import tiny

WIDTH = 8
CODEC = {
    "kind": "spectral", "encoder_widths": [16, 16, 16], "decoder_widths": [16, 16, 16], "encoder_depths": [1, 1, 1],
    "decoder_depths": [1, 1, 1], "heads": 2, "feedforward": 16, "latent_dim": WIDTH,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Latents of ten utterances that follow their phones, a tokenizer, and a teacher of three layers a kind of text."""
    folder = tmp_path_factory.mktemp("distill")
    generator = torch.Generator().manual_seed(0)
    meaning = torch.randn(len(PHONE_INDEX), WIDTH, generator=generator)
    latents: dict[str, torch.Tensor] = {}
    rows = []
    for index in range(10):
        names = ["pau", *("aa iy s m".split()[(index + i) % 4] for i in range(4)), "pau"]
        ends = [round(0.16 * (i + 1) - 0.01 * (index % 3), 3) for i in range(len(names))]
        frames = [meaning[PHONE_INDEX[names[min(t // 2, 5)]]] for t in range(12 - index % 2)]
        latents[f"u{index}"] = (torch.stack(frames) + 0.3 * torch.randn(len(frames), WIDTH, generator=generator)).half()
        text, phones = "Ah, see? Me", list(zip(names, ends, strict=True))
        rows.append({"id": f"u{index}", "speaker": f"s{index % 2}", "text": text, "phones": phones, "words": []})
    for split in ("train", "valid", "heldout"):
        save_file(latents, folder / f"{split}.safetensors")
        (folder / f"{split}.json").write_text(json.dumps(rows))
    tiny.write_tokenizer(folder / "tokenizer.json", 100)
    for kind in ("aligned", "prefix"):
        teacher = build(folder, kind)
        save_file(teacher.state_dict(), folder / f"{kind}.safetensors")
        save_file(teacher.codec.state_dict(), folder / "codec.safetensors")
    return folder


def config(folder: Path, kind: str, layers: int = 3, **sampling: Any) -> dict[str, Any]:
    prefix = {**tiny.tts(folder / "tokenizer.json")["text"], "dim": 32}
    return {
        "task": "tts", "codec": CODEC, "voice": {"bos": kind == "prefix"},
        "text": {"kind": "aligned", "channels": 16, "depth": 1} if kind == "aligned" else prefix,
        "backbone": {"d_model": 32, "num_heads": 2, "num_layers": layers, "dim_feedforward": 32},
        "head": {"kind": "lsd", "channels": 16, "depth": 1}, "sampling": sampling,
    }  # fmt: skip


def build(folder: Path, kind: str, **sampling: Any) -> CALM:
    """A model with random weights, also where training starts from zero; the same whatever its sampling."""
    parsed = parse_config(config(folder, kind, **sampling), kind)
    assert isinstance(parsed, TTSModelConfig)
    torch.manual_seed(0)
    model = CALM(parsed)
    tiny.randomise(model)
    open_tokenizer(model)
    model.latent_mean, model.latent_std = torch.linspace(-0.2, 0.2, WIDTH), torch.linspace(0.8, 1.2, WIDTH)
    return model.eval().requires_grad_(False)


def batch(folder: Path, count: int = 3) -> TTSBatch:
    corpus = LatentCorpus(folder / "train.safetensors", 3, 6)
    return corpus.collate(list(range(count)), torch.Generator().manual_seed(1))


def recipe(folder: Path, kind: str, **changes: Any) -> dict[str, Any]:
    schedule = {"steps": 60, "batch": 4, "learning_rate": 4e-3, "warmup": 1, "bf16": False, "evaluate_every": 100,
                "log_every": 10, "ema": 0.9}  # fmt: skip
    return {
        "kind": "distillation", "folder": str(folder / f"run-{kind}"), "latents": str(folder), "corpus": "nowhere",
        "codec": str(folder / "codec.safetensors"), "teacher": str(folder / f"{kind}.safetensors"),
        "model": config(folder, kind, layers=1), "schedule": schedule, **changes,
    }  # fmt: skip


def spoken_to(model: CALM, b: TTSBatch, row: int) -> tuple[Voice, Condition]:
    """The voice and the condition of a row as inference makes them."""
    prompt = model.voice(b.voice[row : row + 1, : b.voice_frames[row]])
    front, embedding = model.text.absorb_voice(prompt)
    state = model.backbone.transformer.init_state(1, front.shape[1])
    model.backbone.prompt(front, state)
    voice = Voice("prompt", state, embedding)
    if not isinstance(model.text, AlignedText):
        return voice, model.text.condition(b.texts[row])
    assert embedding is not None
    names = {number: name for name, number in PHONE_INDEX.items()}
    return voice, model.text.speak([names[i] for i in b.phones[row].tolist()], int(b.endings[row]), embedding)


@torch.no_grad()
def with_predicted_times(model: CALM, b: TTSBatch) -> TTSBatch:
    """The batch with the phones where inference would put them, each row of as many frames as it would speak."""
    if not isinstance(model.text, AlignedText):
        return b
    seconds = model.text.log_durations(tell(model, b).encoded, b.phones).exp().clamp(0.012, 0.6)  # type: ignore
    ends = seconds.cumsum(1)
    frames = torch.ceil(ends[:, -1] * 12.5).long()
    generator = torch.Generator().manual_seed(2)
    latents = torch.randn(len(b.texts), int(frames.max()), WIDTH, generator=generator)
    return TTSBatch(**{**vars(b), "ends": ends, "frames": frames, "latents": latents})


@pytest.mark.parametrize("cfg_on", ["text", "text_and_voice"])
@pytest.mark.parametrize("kind", ["aligned", "prefix"])
def test_what_a_student_is_taught_is_what_guided_inference_does(folder: Path, kind: str, cfg_on: Any) -> None:
    """Frames drawn by `advance` from the true past are those of the head under the taught conditions."""
    model = build(folder, kind, cfg_on=cfg_on)
    b = with_predicted_times(model, batch(folder))
    lesson = teach(model, b, 1.5, cfg_on)
    other = teach(model, b, 1.5, "text" if cfg_on == "text_and_voice" else "text_and_voice")
    params = SamplingParams(temperature=0.0, cfg=1.5)
    for index in range(len(b.texts)):
        voice, condition = spoken_to(model, b, index)
        row = Row(model, voice, condition, params, torch.Generator())
        for t in range(5):
            (made,) = advance(model, [row])
            expected = model.head.sample_from(lesson.z[index, t : t + 1], torch.zeros(1, WIDTH))
            torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-4)
            unlike = model.head.sample_from(other.z[index, t : t + 1], torch.zeros(1, WIDTH))
            assert not torch.allclose(expected, unlike, atol=1e-4)
            row.previous = lesson.heard[index, t : t + 1]


@pytest.mark.parametrize("kind", ["aligned", "prefix"])
def test_a_student_of_equal_size_has_nothing_to_learn_without_guidance(folder: Path, kind: str) -> None:
    parsed = parse_config(config(folder, kind), kind)
    assert isinstance(parsed, TTSModelConfig)
    teacher = read_teacher(folder / f"{kind}.safetensors", parsed, folder / "codec.safetensors")
    student = make_student(teacher, parsed)
    open_tokenizer(student)
    loss, generator = DistillationLoss(student, 0.5), torch.Generator().manual_seed(3)
    b = batch(folder)
    assert loss(teach(teacher, b, 1.0, "text", 0.2, generator), generator).total == 0
    guided = loss(teach(teacher, b, 1.5, "text", 0.2, generator), generator)
    assert guided.parts["distillation"] > 1e-5
    guided.total.backward()
    still = ("codec.", "head.", "backbone.out_eos.", "text.no_")
    for name, parameter in student.named_parameters():
        moves = not name.startswith(still) and (kind == "prefix" or not name.startswith("text.duration"))
        assert (parameter.grad is not None and bool(parameter.grad.any())) == moves, name


def test_a_student_begins_with_the_bottom_and_top_layers() -> None:
    assert copied_layers(24, 6) == [0, 1, 2, 21, 22, 23]
    assert copied_layers(5, 3) == [0, 1, 4] and copied_layers(5, 2) == [0, 4] and copied_layers(3, 3) == [0, 1, 2]
    assert copied_layers(5, 1) == [0]


@pytest.mark.parametrize("kind", ["aligned", "prefix"])
def test_the_loss_falls_and_the_head_stays_the_teachers_to_the_bit(folder: Path, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "student.yaml"
    path.write_text(yaml.safe_dump(recipe(folder, kind)))
    figures = train_recipe(path, [], resume=False)
    run = folder / f"run-{kind}"
    rows = [line.split(",") for line in (run / "curves.csv").read_text().splitlines()[1:]]
    losses = [float(value) for _, name, value in rows if name == "distillation"]
    assert losses[-1] < 0.5 * losses[0] and figures["unexplained"] < 0.5
    teacher, student = load_file(folder / f"{kind}.safetensors"), load_file(run / "model.safetensors")
    for name, tensor in student.items():
        kept = name.startswith(("codec.", "head.", "backbone.out_eos.", "text.no_", "latent_"))
        assert not kept or torch.equal(tensor, teacher[name]), name
    assert not any(name.startswith(("head.weight.", "backbone.transformer.layers.1.")) for name in student)
    for name in ("backbone.transformer.layers.0.linear1.weight", "voice.proj.weight", "backbone.bos_emb"):
        assert not torch.equal(student[name], teacher[name]), name
    package(read_recipe(path, []), tmp_path / "models" / "student", "Tiny", "MIT", codec_id="codec")
    (tmp_path / "models" / "codec").mkdir()
    save_file(load_file(folder / "codec.safetensors"), tmp_path / "models" / "codec" / "model.safetensors")
    loaded = load_tts(find(str(tmp_path / "models" / "student"))).model
    assert len(loaded.backbone.transformer.layers) == 1 and loaded.config.sampling.cfg == 1.0


def test_a_teacher_that_cannot_teach_is_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "student.yaml"
    path.write_text(yaml.safe_dump(recipe(folder, "aligned")))
    for override, words in (
        ("model.backbone.num_layers=4", "has 3 layers and the student 4"),
        ("model.head.channels=8", "shape"),
        (f"teacher={folder}/nowhere.safetensors", "nowhere"),
        ("cfg=0.5", "cfg"),
    ):
        with pytest.raises(InputError, match=words):
            train_recipe(path, [override], resume=False)


def test_conditions_are_left_out_independently(folder: Path) -> None:
    """Of many rows under dropout p, a share p (1 - p) hears the voice alone and p^2 nothing, as guidance needs both."""
    model = build(folder, "prefix").requires_grad_(True)
    b = batch(folder, 10)
    many = TTSBatch(**{n: v * 20 if n == "texts" else v.repeat(20, *[1] * (v.ndim - 1)) for n, v in vars(b).items()})
    seen: list[tuple[bool, bool]] = []
    original = model.prefix

    def prefix(voice: torch.Tensor | None, text: torch.Tensor | None) -> torch.Tensor:
        seen.append((voice is not None, text is not None))
        return original(voice, text)

    model.prefix = prefix  # type: ignore[method-assign]
    settings = {"kind": "tts", "folder": "x", "latents": "x", "corpus": "x", "codec": "x", "condition_dropout": 0.2}
    values = TTSRecipe(**settings, model=model.config, schedule={"steps": 1, "batch": 1, "learning_rate": 1})  # type: ignore
    losses = TTSLoss(model, values)(many, torch.Generator().manual_seed(0))
    assert losses.total.isfinite() and "eos" in losses.parts and "duration" not in losses.parts
    assert len(seen) == 200
    assert seen.count((True, False)) / 200 == pytest.approx(0.16, abs=0.06)
    assert seen.count((False, False)) / 200 == pytest.approx(0.04, abs=0.03)
    model.prefix = original  # type: ignore[method-assign]
    told = tell(model, b, torch.ones(10, dtype=torch.bool), torch.ones(10, dtype=torch.bool))
    assert told.prefixes is not None and all(p.shape == (0, 32) for p in told.prefixes)


def test_a_new_head_takes_nothing_from_the_weights_it_starts_beside(folder: Path) -> None:
    teacher = load_file(folder / "aligned.safetensors")
    torch.manual_seed(1)
    model = CALM(build(folder, "aligned").config)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    load_fitting(model, folder / "aligned.safetensors", without=("head.",))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name] if name.startswith("head.") else teacher[name]), name


def test_the_recipes_of_the_family_differ_only_where_they_say() -> None:
    configs = Path(__file__).parents[3] / "calm_core" / "configs"
    teacher, consistency, student = (
        read_recipe(configs / f"tts_en_{name}.yaml", []).model_dump() for name in ("teacher", "consistency", "student")
    )
    assert {key for key in teacher if teacher[key] != consistency[key]} == {"folder", "model"}
    assert {key for key in teacher["model"] if teacher["model"][key] != consistency["model"][key]} == {"head"}
    assert {key for key in teacher["model"] if teacher["model"][key] != student["model"][key]} == {"backbone"}
    assert student["teacher"] == teacher["folder"] / "model.safetensors"
