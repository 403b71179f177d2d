"""`python -m evaluation attributes`: train the classifier of attributes and say how well it hears."""

import argparse
import sys
from pathlib import Path

from evaluation.errors import InputError
from evaluation.metrics.embedders import DEFAULT, find_embedder
from evaluation.tables import markdown_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.jsonl of a corpus with attributes")
    parser.add_argument("--embeddings", type=Path, required=True, help="safetensors of its training split by row id")
    parser.add_argument("--judge", type=Path, required=True, help="safetensors of a split that is not trained on")
    parser.add_argument("--out", type=Path, required=True, help="safetensors of the classifier")
    parser.add_argument(
        "--embedder", default=DEFAULT, help="what the embeddings come from, as metrics take it (default: %(default)s)"
    )
    parser.add_argument("--l2", type=float, default=0.01, help="penalty on squared weights (default: %(default)g)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Train, save, print the accuracies beside chance.

    Raises:
        InputError: Files that are missing or do not fit each other or the embedder, a penalty below 0.
    """
    from evaluation.metrics.attributes import AttributeClassifier, corpus_vectors

    if not options.out.parent.is_dir():
        raise InputError(f"There is no folder {options.out.parent} for --out.")
    if not 0 <= options.l2 < float("inf"):
        raise InputError(f"--l2 is {options.l2:g}; give a number of 0 or more.")
    vectors, described = corpus_vectors(options.embeddings, options.manifest)
    print(f"{len(vectors)} clips to train on", file=sys.stderr)
    classifier = AttributeClassifier.fit(vectors, described, options.embedder, options.l2)
    classifier.remember(find_embedder(options.embedder))
    judged = classifier.accuracy(*corpus_vectors(options.judge, options.manifest))
    classifier.save(options.out)
    print(
        markdown_table(
            ("attribute", "accuracy", "chance", "clips"),
            [(one.attribute, one.accuracy, one.chance, one.clips) for one in judged],
        )
    )
