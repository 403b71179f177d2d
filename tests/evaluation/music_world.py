"""A corpus of music in miniature, and models of every kind of the report on music, with random weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from safetensors.torch import save_file

from evaluation.metrics.attributes import AttributeClassifier
from evaluation.metrics.captioned import Attributes
from tests.calm_core import tiny
from tests.calm_core.clap import sounds

RATE, SECONDS = 16_000, 7.0
SPLITS = {"train": 1, "heldout": 9, "valid": 3}


def write_corpus(folder: Path) -> Path:
    """Pieces that hum, whistle, hiss or click, each with a caption of its own and fields."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows = []
    for split, count in SPLITS.items():
        parts = []
        for number in range(count):
            kind = list(sounds.KINDS)[number % 4]
            wave = 0.5 * sounds.sound(kind, SECONDS, rng, RATE)
            said = f"{sounds.KINDS[kind][0]}, {('one', 'two', 'three')[number % 3]} times {number}"
            known = {
                "genre": kind,
                "tempo_class": ("slow", "fast")[number % 2],
                "instruments": [kind, "room"][: 1 + number % 2],
            }
            rows.append({
                "id": f"{split[0]}{number}", "split": split, "text": said, "captions": [said], "attributes": known,
                "shard": f"{split}.flac", "start": sum(map(len, parts)), "samples": len(wave),
            })  # fmt: skip
            parts.append((wave * 32767).astype(np.int16))
        soundfile.write(folder / f"{split}.flac", np.concatenate(parts), RATE)
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def _write(folder: Path, config: dict[str, Any] | None, tensors: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "model.safetensors")
    if config is not None:
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def write_music(folder: Path, head: str, short: bool = False, packaged: bool = True) -> Path:
    """A model of music; `packaged` ones have a configuration, others are as training leaves them."""
    model = tiny.build_music(head, short, "../clap")
    config = {**tiny.music(head, short, "../clap"), "sampling": {} if model.discrete else {"cfg": 2.0, "steps": 4}}
    return _write(folder, config if packaged else None, model.state_dict())


def write_codec(folder: Path, head: str) -> Path:
    """The codec of such a model on its own."""
    codec = tiny.build_music(head).codec
    tensors = {f"codec.{name}": value for name, value in codec.state_dict().items()}
    return _write(folder, {"task": "codec", "codec": tiny.music(head)["codec"]}, tensors)


def write_clap(folder: Path) -> Path:
    """A CLAP of 16 dimensions that hears two seconds at once."""
    _write(folder, sounds.model("tokenizer.model"), sounds.build().state_dict())
    sounds.write_tokenizer(folder / "tokenizer.model")
    return folder


def write_classifier(path: Path, clap: Path) -> Path:
    """A classifier of genre, tempo class and instruments, of made-up embeddings."""
    rng = np.random.default_rng(1)
    known = [
        Attributes(genre=kind, tempo_class=("slow", "fast")[number % 2], instruments=(kind, "room")[: 1 + number % 2])
        for number, kind in enumerate([*sounds.KINDS] * 10)
    ]
    AttributeClassifier.fit(rng.standard_normal((40, 16)), known, f"clap:{clap}").save(path)
    return path


def build(root: Path) -> Path:
    """Everything, in one folder."""
    write_corpus(root / "corpus")
    write_clap(root / "clap")
    write_classifier(root / "attributes.safetensors", root / "clap")
    write_music(root / "calm", "consistency", short=True)
    write_music(root / "rq", "rq_transformer")
    write_music(root / "delays", "delay")
    write_codec(root / "codec", "lsd")
    write_music(root / "more" / "calm-music-without-short-context", "consistency", packaged=False)
    write_music(root / "more" / "calm-music-without-noise", "consistency", short=True, packaged=False)
    for multiplier in (1, 8):
        write_music(root / "more" / f"calm-music-multiplier-{multiplier}-at-50", "consistency", short=True)
    return root


def options(root: Path, folder: Path) -> list[str]:
    """Of the command, so small that a section takes a second or two; models that are not named are not there."""
    models = [word for name in ("calm", "delays", "codec") for word in (f"--{name}", str(root / name))]
    return [
        "reproduce", "music", *models, "--ablations", str(root / "more"), "--corpus", str(root / "corpus"),
        "--embedder", f"clap:{root / 'clap'}", "--attributes", str(root / "attributes.safetensors"),
        "--out", str(folder / "music.md"), "--work", str(folder / "work"), "--prompts", "4", "--captions", "4",
        "--long-prompts", "2", "--sounds", "2", "--prompt-seconds", "1", "--seconds", "2", "--long-seconds", "10",
        "--takes", "1", "--seeds", "0", "1", "--steps", "4",
    ]  # fmt: skip
