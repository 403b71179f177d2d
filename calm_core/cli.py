"""The command line: `python -m calm_core COMMAND`, or `calm COMMAND`. A thin layer over the Python interface.

Progress goes to stderr and results to stdout. Exit status: 0 success, 2 bad input (one line on stderr says what to
change), 130 stopped with Ctrl-C, 1 the reader of stdout went away. An output file appears whole or not at all.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from calm_core.errors import InputError

if TYPE_CHECKING:
    from calm_core.tasks.speech_continuation import ContinuationStream
    from calm_core.tasks.tts import SpeechStream

DEFAULT_TTS = "calm-tts-en"
DEFAULT_CONTINUATION = "calm-continuation-en"
DEFAULT_CODEC = "calm-codec-speech"
BAD_INPUT, INTERRUPTED = 2, 130
_STDIO = "-"

app = typer.Typer(add_completion=False, no_args_is_help=False, help="Speech from continuous audio latents.")

ModelOption = Annotated[
    str, typer.Option("--model", help="Bundled id, folder, YAML file or hf://owner/repo/path[@revision].")
]
DeviceOption = Annotated[str, typer.Option("--device", help="A torch device, such as cpu or cuda.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Values that replace the recipe's.")
]


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class _Progress:
    """Downloads as one line on stderr that is rewritten on a terminal; elsewhere one line at the end of each file."""

    def __call__(self, name: str, done: int, total: int | None) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        if sys.stderr.isatty():
            end = "\n" if total and done >= total else ""
            print(f"\r{name}: {done / 1e6:.1f}{of} MB", end=end, file=sys.stderr, flush=True)
        elif total and done >= total:
            _note(f"{name}: {done / 1e6:.1f} MB")


def _read_text(text: str) -> str:
    if text != _STDIO:
        return text
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"The text on stdin is not UTF-8 (byte {error.start}); save it as UTF-8.") from None


def _check_output(out: str, endings: tuple[str, ...]) -> Path:
    """Refuse an output that could not be written before any work is done for it."""
    path = Path(out)
    if path.suffix.lower() not in endings:
        raise InputError(f"The output {out!r} must end in one of {', '.join(endings)}; rename it.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {str(path.parent)!r} for the output; make it first.")
    if path.is_dir():
        raise InputError(f"The output {out!r} is a folder; give the name of a file.")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"The folder {str(path.parent)!r} is not writable; choose another.")
    return path


def _speaks() -> bool:
    """Of several processes that do one thing together, the first has the results."""
    return os.environ.get("RANK", "0") == "0"


def _sound_endings() -> tuple[str, ...]:
    from calm_core.sound_files import FORMATS

    return tuple(f".{name}" for name in FORMATS)


def _print(values: dict[str, Any], line: str, as_json: bool) -> None:
    print(json.dumps(values, ensure_ascii=False) if as_json else line, flush=True)


def _summary(name: str, meta: dict[str, Any]) -> str:
    parts = [f"{meta.get('seconds', 0.0):.2f} s", f"seed {meta['seed']}"]
    if meta.get("first_audio_seconds") is not None:
        parts.append(f"{meta['first_audio_seconds']:.2f} s to first audio")
    if meta.get("real_time_factor") is not None:
        parts.append(f"{meta['real_time_factor']:.1f} times real time")
    return f"{name}: {', '.join(parts)}"


def _to_stdout(stream: SpeechStream | ContinuationStream, sample_rate: int) -> None:
    """Write chunks as they come: a WAV file of unknown length."""
    from calm_core.sound_files import to_int16, wav_stream_header

    pipe = sys.stdout.buffer
    loud = 0
    with stream:
        pipe.write(wav_stream_header(sample_rate, stream.meta))
        for chunk in stream:
            loud += int((chunk.abs() > 1.0).sum())
            pipe.write(to_int16(chunk.numpy()).tobytes())
            pipe.flush()
    if loud:
        _note(f"{loud} samples were louder than full scale and were limited; write a file to scale them instead.")


def _finish(
    stream: SpeechStream | ContinuationStream, sample_rate: int, path: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Write a stream to a file, whole, or to stdout as it comes; then say what was made."""
    if path is None:
        _to_stdout(stream, sample_rate)
        _note(_summary("stdout", stream.meta))
        return
    import torch

    import calm_core

    chunks = []
    with stream:
        for chunk in stream:
            chunks.append(chunk)
            if sys.stderr.isatty():
                print(f"\r{stream.meta.get('seconds', 0.0):.1f} s spoken", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        _note("")
    samples = torch.cat(chunks) if chunks else torch.zeros(0)
    gain_db = calm_core.write_audio(path, calm_core.Audio(samples, sample_rate, stream.meta))
    if gain_db:
        _note(f"The sound was louder than full scale and was written {-gain_db:.1f} dB lower.")
    _print({"file": str(path), **stream.meta}, _summary(str(path), stream.meta), as_json)


@app.command()
def tts(
    text: Annotated[str, typer.Argument(help="What to say; - reads stdin.")],
    out: Annotated[str, typer.Option("--out", help="A .wav, .flac, .mp3, .ogg or .pcm file; - streams WAV to stdout.")],
    voice: Annotated[str | None, typer.Option("--voice", help="Preset, recording or .safetensors voice file.")] = None,
    model: ModelOption = DEFAULT_TTS,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed gives the same sound.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="Variance of the noise.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Sampler steps for each frame.")] = None,
    cfg: Annotated[float | None, typer.Option("--cfg", help="Guidance; 1 is none.")] = None,
    noise_clamp: Annotated[float | None, typer.Option("--noise-clamp", help="Limit of the noise.")] = None,
    speed: Annotated[float, typer.Option("--speed", help="Above 1 is faster.")] = 1.0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Speak a text in a voice."""
    path = None if out == _STDIO else _check_output(out, _sound_endings())
    written = _read_text(text)
    import calm_core

    speaker = calm_core.load(model, "tts", device, _Progress())
    _note(speaker.notice)
    stream = speaker.stream(
        written,
        speaker.voice(voice, _Progress()),
        seed=seed,
        temperature=temperature,
        steps=steps,
        cfg=cfg,
        noise_clamp=noise_clamp,
        speed=speed,
    )
    _finish(stream, speaker.sample_rate, path, as_json)


@app.command("continue-speech")
def continue_speech(
    source: Annotated[Path, typer.Argument(metavar="PROMPT", help="A few seconds of one person speaking.")],
    seconds: Annotated[float, typer.Option("--seconds", help="Of new sound, after the prompt.")],
    out: Annotated[str, typer.Option("--out", help="The prompt and what follows; - streams WAV to stdout.")],
    text_out: Annotated[str | None, typer.Option("--text-out", help="A .txt file for the words thought of.")] = None,
    model: ModelOption = DEFAULT_CONTINUATION,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed gives the same sound.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="Of the sound.")] = None,
    text_temperature: Annotated[float | None, typer.Option("--text-temperature", help="Of the words.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Sampler steps for each frame.")] = None,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Codes to choose from, of models with codes.")] = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Go on from a recording in the same voice; the prompt stays at the head of the sound."""
    path = None if out == _STDIO else _check_output(out, _sound_endings())
    text_path = None if text_out is None else _check_output(text_out, (".txt",))
    import calm_core

    prompt = calm_core.read_audio(source)
    speaker = calm_core.load(model, "speech_continuation", device, _Progress())
    stream = speaker.stream(
        prompt, seconds, seed=seed, temperature=temperature, text_temperature=text_temperature, steps=steps, top_k=top_k
    )
    _finish(stream, speaker.sample_rate, path, as_json)
    if text_path is not None:
        text_path.write_text(stream.meta.get("text", "") + "\n", encoding="utf-8")


@app.command()
def codec(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A sound file.")],
    out: Annotated[str, typer.Option("--out", help="The sound after the codec.")],
    model: ModelOption = DEFAULT_CODEC,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Send a sound through a codec: encode it, decode it."""
    path = _check_output(out, _sound_endings())
    import calm_core

    sound = calm_core.read_audio(source, min_seconds=0.05)
    coder = calm_core.load(model, "codec", device, _Progress())
    rebuilt = coder.reconstruct(sound)
    calm_core.write_audio(path, rebuilt, metadata={"title": f"{source.stem} after {coder.info.id}"})
    values = {"file": str(path), "model": coder.info.id, "seconds": round(rebuilt.seconds, 3),
              "frame_rate": coder.frame_rate, "dimensions": coder.latent_dim}  # fmt: skip
    line = f"{path}: {rebuilt.seconds:.2f} s, {coder.frame_rate:g} frames a second of {coder.latent_dim} numbers"
    _print(values, line, as_json)


@app.command("export-voice")
def export_voice(
    source: Annotated[Path, typer.Argument(metavar="VOICE", help="A recording of 3 to 30 s.")],
    out: Annotated[str, typer.Option("--out", help="The voice file, .safetensors.")],
    model: ModelOption = DEFAULT_TTS,
    device: DeviceOption = "cpu",
) -> None:
    """Make a voice file of a recording; Pocket TTS models share theirs with pocket-tts 4.0.1."""
    path = _check_output(out, (".safetensors",))
    import calm_core

    sound = calm_core.read_audio(source, min_seconds=0.5)
    speaker = calm_core.load(model, "tts", device, _Progress())
    _note(speaker.notice)
    speaker.voice(sound).save(path)
    print(f"{path}: a voice for {speaker.info.id}", flush=True)


@app.command()
def models(as_json: JsonOption = False) -> None:
    """List the models: id, task, parameters, source, licence."""
    import calm_core

    found = calm_core.list_models()
    if as_json:
        print(json.dumps([vars(info) for info in found], ensure_ascii=False, indent=2))
        return
    rows = [("id", "task", "parameters", "source", "licence", "language")]
    for info in found:
        count = "?" if info.parameters is None else f"{info.parameters / 1e6:.1f} M"
        rows.append((info.id, info.task, count, info.source, info.licence, info.language))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def synthesize(
    recipe: Annotated[Path, typer.Argument(help="A corpus recipe, such as calm_core/configs/corpus_speech.yaml.")],
    overrides: Overrides = None,
) -> None:
    """Make the training corpus that a recipe describes; a run that was stopped goes on where it was."""
    from calm_core.training.synthesize import main_recipe

    print(json.dumps(main_recipe(recipe, list(overrides or []))), flush=True)


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A training recipe from calm_core/configs, or your own.")],
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print size, memory and time as JSON; do nothing.")
    ] = False,
) -> None:
    """Train a codec or a text-to-speech model."""
    if dry_run:
        from calm_core.training.dry_run import plan_recipe

        print(plan_recipe(recipe, list(overrides or [])), flush=True)
        return
    from calm_core.training.loop import train_recipe

    figures = train_recipe(recipe, list(overrides or []), resume)
    if _speaks():
        print(json.dumps(figures), flush=True)


@app.command()
def encode(
    recipe: Annotated[
        Path, typer.Argument(help="An encode recipe: recordings and the codec that makes latents of them.")
    ],
    overrides: Overrides = None,
) -> None:
    """Make the latents that training reads, in shards; a run that was stopped goes on where it was."""
    from calm_core.training.encode import encode_recipe

    figures = encode_recipe(recipe, list(overrides or []))
    if _speaks():
        print(json.dumps(figures), flush=True)


@app.command()
def package(
    recipe: Annotated[Path, typer.Argument(help="The recipe of a finished run.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the model; its name becomes the id.")],
    title: Annotated[str, typer.Option("--title", help="For the list of models.")],
    licence: Annotated[str, typer.Option("--licence", help="Of the weights, such as MIT.")],
    overrides: Overrides = None,
    codec_id: Annotated[str | None, typer.Option("--codec", help="Packaged codec in a folder beside OUT.")] = None,
    weights: Annotated[Literal["fp16", "int8"], typer.Option("--weights", help="How they are stored.")] = "fp16",
    statistics: Annotated[
        Path | None, typer.Option("--statistics", help="Of a codec: statistics.safetensors beside its latents.")
    ] = None,
) -> None:
    """Make of a finished run a model that loads by its folder, of less than 10 MB."""
    from calm_core.training.package import package_recipe

    made = package_recipe(recipe, list(overrides or []), out, title, licence, codec_id, weights, statistics)
    print(json.dumps(made), flush=True)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    try:
        status = get_command(app)(args=arguments, prog_name="calm", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except InputError as error:
        _note(f"calm: {_one_line(error)}")
        return BAD_INPUT
    except TyperException as error:
        _note(f"calm: {_one_line(error.format_message())} Try calm --help.")
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as stop:  # typer's answer to a reader of stdout that went away
        return stop.code if isinstance(stop.code, int) else 1
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        where = f" {error.filename}" if error.filename else ""
        advice = "the disk is full; free some space" if full else f"{error.strerror or error}; check the path"
        _note(f"calm: Reading or writing{where} failed: {_one_line(advice)}.")
        if full:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BAD_INPUT
    except ModuleNotFoundError as error:
        _note(f"calm: This command needs the package {error.name}; install requirements-dev.txt.")
        return BAD_INPUT
