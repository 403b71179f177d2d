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
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from calm_core.cli_output import (
    STDIO,
    DownloadProgress,
    check_output,
    finish,
    note,
    print_result,
    sound_endings,
)
from calm_core.errors import InputError

DEFAULT_TTS = "calm-tts-en"
DEFAULT_CONTINUATION = "calm-continuation-en"
DEFAULT_MUSIC = "calm-music"
DEFAULT_CODEC = "calm-codec-speech"
BAD_INPUT, INTERRUPTED = 2, 130

app = typer.Typer(add_completion=False, no_args_is_help=False, help="Speech and music from continuous audio latents.")

ModelOption = Annotated[
    str, typer.Option("--model", help="Bundled id, folder, YAML file or hf://owner/repo/path[@revision].")
]
DeviceOption = Annotated[str, typer.Option("--device", help="A torch device, such as cpu or cuda.")]
SeedOption = Annotated[int | None, typer.Option("--seed", help="The same seed gives the same sound.")]
TemperatureOption = Annotated[float | None, typer.Option("--temperature", help="Of the sound.")]
StepsOption = Annotated[int | None, typer.Option("--steps", help="Sampler steps for each frame.")]
TopKOption = Annotated[int | None, typer.Option("--top-k", help="Codes to choose from, of models with codes.")]
CfgOption = Annotated[float | None, typer.Option("--cfg", help="Guidance; 1 is none.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Values that replace the recipe's.")
]


def _read_text(text: str) -> str:
    if text != STDIO:
        return text
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"The text on stdin is not UTF-8 (byte {error.start}); save it as UTF-8.") from None


def _speaks() -> bool:
    """Of several processes that do one thing together, the first has the results."""
    return os.environ.get("RANK", "0") == "0"


@app.command()
def tts(
    text: Annotated[str, typer.Argument(help="What to say; - reads stdin.")],
    out: Annotated[str, typer.Option("--out", help="A .wav, .flac, .mp3, .ogg or .pcm file; - streams WAV to stdout.")],
    voice: Annotated[str | None, typer.Option("--voice", help="Preset, recording or .safetensors voice file.")] = None,
    model: ModelOption = DEFAULT_TTS,
    seed: SeedOption = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="Variance of the noise.")] = None,
    steps: StepsOption = None,
    cfg: CfgOption = None,
    noise_clamp: Annotated[float | None, typer.Option("--noise-clamp", help="Limit of the noise.")] = None,
    speed: Annotated[float, typer.Option("--speed", help="Above 1 is faster.")] = 1.0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Speak a text in a voice."""
    path = None if out == STDIO else check_output(out, sound_endings())
    written = _read_text(text)
    import calm_core

    speaker = calm_core.load(model, "tts", device, DownloadProgress())
    note(speaker.notice)
    stream = speaker.stream(
        written,
        speaker.voice(voice, DownloadProgress()),
        seed=seed,
        temperature=temperature,
        steps=steps,
        cfg=cfg,
        noise_clamp=noise_clamp,
        speed=speed,
    )
    finish(stream, speaker.sample_rate, path, as_json)


@app.command("continue-speech")
def continue_speech(
    source: Annotated[Path, typer.Argument(metavar="PROMPT", help="A few seconds of one person speaking.")],
    seconds: Annotated[float, typer.Option("--seconds", help="Of new sound, after the prompt.")],
    out: Annotated[str, typer.Option("--out", help="The prompt and what follows; - streams WAV to stdout.")],
    text_out: Annotated[str | None, typer.Option("--text-out", help="A .txt file for the words thought of.")] = None,
    model: ModelOption = DEFAULT_CONTINUATION,
    seed: SeedOption = None,
    temperature: TemperatureOption = None,
    text_temperature: Annotated[float | None, typer.Option("--text-temperature", help="Of the words.")] = None,
    steps: StepsOption = None,
    top_k: TopKOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Go on from a recording in the same voice; the prompt stays at the head of the sound."""
    path = None if out == STDIO else check_output(out, sound_endings())
    text_path = None if text_out is None else check_output(text_out, (".txt",))
    import calm_core

    prompt = calm_core.read_audio(source)
    speaker = calm_core.load(model, "speech_continuation", device, DownloadProgress())
    stream = speaker.stream(
        prompt, seconds, seed=seed, temperature=temperature, text_temperature=text_temperature, steps=steps, top_k=top_k
    )
    finish(stream, speaker.sample_rate, path, as_json)
    if text_path is not None:
        text_path.write_text(stream.meta.get("text", "") + "\n", encoding="utf-8")


@app.command("continue-music")
def continue_music(
    source: Annotated[Path, typer.Argument(metavar="PROMPT", help="Some seconds of music.")],
    seconds: Annotated[float, typer.Option("--seconds", help="Of new sound, after the prompt.")],
    out: Annotated[str, typer.Option("--out", help="The prompt and what follows; - streams WAV to stdout.")],
    model: ModelOption = DEFAULT_MUSIC,
    seed: SeedOption = None,
    temperature: TemperatureOption = None,
    steps: StepsOption = None,
    top_k: TopKOption = None,
    guide: Annotated[
        Literal["none", "prompt"], typer.Option("--guide", help="prompt: also by the prompt's CLAP embedding.")
    ] = "none",
    cfg: CfgOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Go on from a piece of music; the prompt stays at the head of the sound."""
    path = None if out == STDIO else check_output(out, sound_endings())
    import calm_core

    prompt = calm_core.read_audio(source)
    player = calm_core.load(model, "music_continuation", device, DownloadProgress())
    stream = player.stream(
        prompt, seconds, seed=seed, temperature=temperature, steps=steps, top_k=top_k, guide=guide, cfg=cfg
    )
    finish(stream, player.sample_rate, path, as_json)


@app.command()
def music(
    description: Annotated[str, typer.Argument(help="What the music is to be; - reads stdin, '' leaves it to REF.")],
    seconds: Annotated[float, typer.Option("--seconds", help="Of sound.")],
    out: Annotated[str, typer.Option("--out", help="The sound file; - streams WAV to stdout.")],
    audio_prompt: Annotated[
        Path | None, typer.Option("--audio-prompt", metavar="REF", help="A sound that the music is to be like.")
    ] = None,
    text_weight: Annotated[float, typer.Option("--text-weight", help="Share of the description beside REF.")] = 0.5,
    model: ModelOption = DEFAULT_MUSIC,
    seed: SeedOption = None,
    temperature: TemperatureOption = None,
    steps: StepsOption = None,
    top_k: TopKOption = None,
    cfg: CfgOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Make music of a description, of a sound that it is to be like, or of both."""
    path = None if out == STDIO else check_output(out, sound_endings())
    words = _read_text(description)
    import calm_core

    reference = None if audio_prompt is None else calm_core.read_audio(audio_prompt)
    player = calm_core.load(model, "clap_to_music", device, DownloadProgress())
    stream = player.stream(
        None if reference is not None and not words.strip() else words, seconds, audio_prompt=reference,
        text_weight=text_weight, seed=seed, temperature=temperature, steps=steps, top_k=top_k, cfg=cfg,
    )  # fmt: skip
    finish(stream, player.sample_rate, path, as_json)


@app.command()
def codec(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A sound file.")],
    out: Annotated[str, typer.Option("--out", help="The sound after the codec.")],
    model: ModelOption = DEFAULT_CODEC,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Send a sound through a codec: encode it, decode it."""
    path = check_output(out, sound_endings())
    import calm_core

    sound = calm_core.read_audio(source, min_seconds=0.05)
    coder = calm_core.load(model, "codec", device, DownloadProgress())
    rebuilt = coder.reconstruct(sound)
    calm_core.write_audio(path, rebuilt, metadata={"title": f"{source.stem} after {coder.info.id}"})
    values = {"file": str(path), "model": coder.info.id, "seconds": round(rebuilt.seconds, 3),
              "frame_rate": coder.frame_rate, "dimensions": coder.latent_dim}  # fmt: skip
    line = f"{path}: {rebuilt.seconds:.2f} s, {coder.frame_rate:g} frames a second of {coder.latent_dim} numbers"
    print_result(values, line, as_json)


@app.command("export-voice")
def export_voice(
    source: Annotated[Path, typer.Argument(metavar="VOICE", help="A recording of 3 to 30 s.")],
    out: Annotated[str, typer.Option("--out", help="The voice file, .safetensors.")],
    model: ModelOption = DEFAULT_TTS,
    device: DeviceOption = "cpu",
) -> None:
    """Make a voice file of a recording; Pocket TTS models share theirs with pocket-tts 4.0.1."""
    path = check_output(out, (".safetensors",))
    import calm_core

    sound = calm_core.read_audio(source, min_seconds=0.5)
    speaker = calm_core.load(model, "tts", device, DownloadProgress())
    note(speaker.notice)
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
        rows.append((info.id, ", ".join(info.tasks), count, info.source, info.licence, info.language))
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
def collect(
    recipe: Annotated[Path, typer.Argument(help="A recipe such as calm_core/configs/corpus_recordings.yaml.")],
    overrides: Overrides = None,
) -> None:
    """Make a training corpus of recordings of others; a run that was stopped goes on where it was."""
    from calm_core.training.recordings.collect import collect_recipe

    print(json.dumps(collect_recipe(recipe, list(overrides or []))), flush=True)


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A training recipe from calm_core/configs, or your own.")],
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print size, memory and time as JSON; do nothing.")
    ] = False,
) -> None:
    """Train a codec or a model on its latents, as the recipe says."""
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
    base_id: Annotated[
        str | None, typer.Option("--base", help="Packaged model beside OUT whose weights are not repeated.")
    ] = None,
) -> None:
    """Make of a finished run a model that loads by its folder, of less than 10 MB."""
    from calm_core.training.package import package_recipe

    made = package_recipe(recipe, list(overrides or []), out, title, licence, codec_id, weights, statistics, base_id)
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
        note(f"calm: {_one_line(error)}")
        return BAD_INPUT
    except TyperException as error:
        note(f"calm: {_one_line(error.format_message())} Try calm --help.")
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as stop:  # typer's answer to a reader of stdout that went away
        return stop.code if isinstance(stop.code, int) else 1
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        where = f" {error.filename}" if error.filename else ""
        advice = "the disk is full; free some space" if full else f"{error.strerror or error}; check the path"
        note(f"calm: Reading or writing{where} failed: {_one_line(advice)}.")
        if full:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BAD_INPUT
    except ModuleNotFoundError as error:
        note(f"calm: This command needs the package {error.name}; install requirements-dev.txt.")
        return BAD_INPUT
