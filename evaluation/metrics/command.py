"""`python -m evaluation metrics NAME ...`: metrics over two folders of WAV files, or over one."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluation.clips import Clip, clips_in, paired_clips
from evaluation.errors import InputError
from evaluation.metrics import METRICS, Choices, Metric, find_metric
from evaluation.tables import markdown_table, write_csv


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    alone, sets = (
        ", ".join(name for name, metric in METRICS.items() if metric.kind == kind) for kind in ("clips", "sets")
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"one or more of: {', '.join(METRICS)}")
    parser.add_argument(
        "--reference-dir",
        type=Path,
        help=f"WAV files, with a NAME.txt transcript beside each; not needed for {alone}",
    )
    parser.add_argument(
        "--degraded-dir", type=Path, required=True, help=f"WAV files of the same names; of any names for {sets}"
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file: item, metric, value and a mean row a metric")
    standard = Choices()
    parser.add_argument(
        "--recogniser",
        default=standard.recogniser,
        help="for wer, cer, ppx and vert: pocketsphinx, or whisper:MODEL with a folder or a model of the Hub",
    )
    parser.add_argument(
        "--speaker-model",
        default=standard.speaker_model,
        help="for speaker_similarity and speaker_diversity: resemblyzer, or wavlm:MODEL",
    )
    parser.add_argument(
        "--language-model",
        help="for ppx: a text with a sentence a line, from which a trigram model is trained, a saved .json of one, or "
        "causal:MODEL",
    )
    parser.add_argument(
        "--mos-model",
        action="append",
        default=[],
        metavar="FILE",
        help="for dnsmos a .onnx, for utmos a .safetensors; may be given twice",
    )
    parser.add_argument("--items", type=Path, help="for abx: an item file, which says where phones are")
    parser.add_argument("--features", default=standard.features, help="for abx: mel, or codec:MODEL for its latents")
    parser.add_argument(
        "--embedder",
        default=standard.embedder,
        help="for fad, fad_infinity and clap_score: clap, clap:MODEL (of the engine) or laion:MODEL (of the Hub); for "
        "fad also vggish:WEIGHTS, or mel, which needs no model",
    )
    parser.add_argument(
        "--tagger", default=standard.tagger, help="for kld and kld_reverse: attributes, or pann:WEIGHTS of CNN14"
    )
    parser.add_argument(
        "--attributes",
        type=Path,
        help="for attribute_agreement and the tagger attributes: a classifier's file (default: the bundled one)",
    )
    parser.add_argument("--device", default=standard.device, help="a torch device for the models named above")
    parser.add_argument("--seed", type=int, default=standard.seed)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure every clip, write the table, print the means.

    Raises:
        InputError: An unknown metric, a missing package or file, folders that do not match, a clip that cannot be
            scored.
    """
    metrics = [find_metric(name) for name in dict.fromkeys(options.names)]
    for metric in metrics:
        if metric.kind != "clips" and options.reference_dir is None:
            raise InputError(f"The metric {metric.name} compares with references; give --reference-dir.")
    if not options.out.parent.is_dir():
        raise InputError(f"There is no folder {options.out.parent} for --out.")
    choices = Choices(
        options.recogniser,
        options.speaker_model,
        options.language_model,
        tuple(options.mos_model),
        options.items,
        options.features,
        options.embedder,
        options.tagger,
        options.attributes,
        options.device,
        options.seed,
    )
    scores = {metric.name: metric.load(choices) for metric in metrics if metric.kind == "pair"}
    alone = {metric.name: metric.collector(choices) for metric in metrics if metric.kind == "clips"}
    sets = {metric.name: metric.set_collector(choices) for metric in metrics if metric.kind == "sets"}
    collectors = alone | sets
    values: dict[str, list[tuple[str, float]]] = {name: [] for name in scores}
    for count, (reference, degraded) in enumerate(_clips(metrics, options), start=1):
        if reference is not None:
            for collector in sets.values():
                collector.add_reference(reference)
        if degraded is not None:
            for collector in collectors.values():
                collector.add(degraded)
        shown = degraded or reference
        assert shown
        item = Path(shown.item).name
        if reference is not None and degraded is not None:
            for name, score in scores.items():
                values[name].append((item, score(reference, degraded)))
        print(f"{count}: {item}", file=sys.stderr)
    table: list[tuple[str, str, float]] = []
    summary = []
    for metric in metrics:
        if metric.name in scores:
            scored = values[metric.name]
            mean = sum(value for _, value in scored) / len(scored)
            rows = [(item, metric.name, value) for item, value in [*scored, ("mean", mean)]]
        else:
            rows = collectors[metric.name].rows()
        table += rows
        summary += [
            (name if item == "mean" else f"{name} {item}", value, metric.better, metric.describes)
            for item, name, value in rows
            if item in ("mean", "ci_low", "ci_high")
        ]
    write_csv(options.out, ("item", "metric", "value"), [(item, name, f"{value:.6f}") for item, name, value in table])
    print(markdown_table(("metric", "mean", "better", "what"), summary))


def _clips(metrics: Sequence[Metric], options: argparse.Namespace) -> Iterator[tuple[Clip | None, Clip | None]]:
    """References and degraded clips: together where a metric compares pairs, else one set after the other."""
    kinds = {metric.kind for metric in metrics}
    if "pair" in kinds:
        yield from paired_clips(options.reference_dir, options.degraded_dir)
        return
    if "sets" in kinds:
        yield from ((clip, None) for clip in clips_in(options.reference_dir))
    yield from ((None, clip) for clip in clips_in(options.degraded_dir))
