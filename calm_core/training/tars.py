"""A reader for webdataset tars: files with the same name before the first dot are one sample.

    0001.flac 0001.json 0002.flac 0002.json      ->      {"key": "0001", "flac": b"...", "json": b"..."}, ...

Local paths and `hf://datasets/OWNER/NAME/PATH.tar` are read as streams, front to back, so nothing is stored.
"""

import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, TypeVar

import torch

from calm_core.errors import InputError
from calm_core.hub import offline
from calm_core.training.faults import Faults

Sample = dict[str, Any]
T = TypeVar("T")


def expand(pattern: str) -> list[str]:
    """Addresses that a pattern stands for.

    `{a,b}` is a choice and `{000..011}` counts with leading zeros; a local pattern may have `*` and `?`.

    Raises:
        InputError: A local pattern without any file.
    """
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found:
        inside = found.group(1)
        count = re.fullmatch(r"(\d+)\.\.(\d+)", inside)
        if count:
            first, last = count.groups()
            choices = [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
        else:
            choices = inside.split(",")
        return [
            address
            for choice in choices
            for address in expand(pattern[: found.start()] + choice + pattern[found.end() :])
        ]
    if pattern.startswith("hf://"):
        return [pattern]
    path = Path(pattern)
    matches = sorted(str(p) for p in path.parent.glob(path.name))
    if not matches:
        raise InputError(f"There is no file {pattern}; correct the source's tars.")
    return matches


def open_stream(address: str) -> AbstractContextManager[IO[bytes]]:
    """A file to read front to back, local or on the Hub.

    Raises:
        InputError: The Hub may not be asked.
    """
    if not address.startswith("hf://"):
        return open(address, "rb")
    if offline():
        raise InputError(f"{address} is on the Hub, and CALM_OFFLINE forbids to ask it; unset it or name a local file.")
    from huggingface_hub import HfFileSystem

    return HfFileSystem().open(address.removeprefix("hf://"), "rb")  # type: ignore[return-value]


def read_tar(address: str, faults: Faults) -> Iterator[Sample]:
    """The samples of one tar, in order, each with its `key` and its files by extension.

    A tar that ends too early still gives what came whole before.

    Raises:
        InputError: The tar is damaged and that stops.
    """
    sample: Sample = {}
    try:
        with open_stream(address) as stream, tarfile.open(fileobj=stream, mode="r|*") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                folder, _, name = member.name.rpartition("/")
                stem, _, extension = name.partition(".")
                key = f"{folder}/{stem}".removeprefix("/").removeprefix("./")
                if sample and sample["key"] != key:
                    yield sample
                    sample = {}
                content = tar.extractfile(member)
                assert content is not None
                sample |= {"key": key, extension.lower(): content.read()}
    except (tarfile.TarError, EOFError, OSError) as error:
        faults.meet(address, error)
        return
    if sample:
        yield sample


def shuffled(items: Iterable[T], size: int, seed: int) -> Iterator[T]:
    """The same items in a drawn order: each leaves a buffer of `size` items at random; 1 or less keeps the order."""
    if size <= 1:
        yield from items
        return
    generator = torch.Generator().manual_seed(seed)
    buffer: list[T] = []
    for item in items:
        if len(buffer) < size:
            buffer.append(item)
            continue
        place = int(torch.randint(size, (1,), generator=generator))
        yield buffer[place]
        buffer[place] = item
    for place in torch.randperm(len(buffer), generator=generator).tolist():
        yield buffer[place]


def read_tars(
    addresses: Sequence[str], faults: Faults, process: int = 0, processes: int = 1, shuffle: int = 0, seed: int = 0
) -> Iterator[Sample]:
    """The samples of many tars: process p of n reads every n-th tar.

    Args:
        addresses: See `open_stream`.
        faults: Meets damaged tars.
        process: p, counted from 0.
        processes: n.
        shuffle: Size of the shuffle buffer in samples; above 1, the order of the tars is drawn too.
        seed: Of both draws.
    """
    order = list(addresses)
    if shuffle > 1:
        drawn = torch.randperm(len(order), generator=torch.Generator().manual_seed(seed)).tolist()
        order = [order[i] for i in drawn]
    samples = (sample for address in order[process::processes] for sample in read_tar(address, faults))
    return shuffled(samples, shuffle, seed * 1024 + process)
