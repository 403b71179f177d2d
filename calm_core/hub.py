"""Fetching files: local paths, and `hf://owner/repo/path@revision` from the Hugging Face Hub.

Nothing here runs at import. With CALM_OFFLINE=1 the Hub is never asked: only files that an earlier
run has left in the cache are used.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calm_core.errors import InputError

# Called with (file name, bytes so far, bytes in all or None).
Progress = Callable[[str, int, int | None], None]

CLONING_TERMS = "https://huggingface.co/kyutai/pocket-tts"


@dataclass(frozen=True)
class HubPath:
    """The parts of hf://owner/repo/path@revision."""

    repo: str
    path: str
    revision: str | None

    @staticmethod
    def parse(address: str) -> HubPath:
        """Take an address apart.

        Raises:
            InputError: it does not have the form hf://owner/repo/path[@revision].
        """
        body, _, revision = address.removeprefix("hf://").partition("@")
        parts = body.split("/")
        if len(parts) < 3 or not all(parts):
            raise InputError(
                f"'{address}' is not a Hub path; write hf://owner/repo/path or hf://owner/repo/path@revision."
            )
        return HubPath("/".join(parts[:2]), "/".join(parts[2:]), revision or None)


class Unreachable(InputError):
    """The Hub could not give a file; `reason` says why in a few words."""

    def __init__(self, message: str, reason: str):
        super().__init__(message)
        self.reason = reason


def offline() -> bool:
    """Whether CALM_OFFLINE (or the Hub's own HF_HUB_OFFLINE) forbids the network."""
    yes = ("1", "true", "yes", "on")
    return any(os.environ.get(n, "").lower() in yes for n in ("CALM_OFFLINE", "HF_HUB_OFFLINE"))


def cached(address: str) -> Path | None:
    """The local copy of an address, without asking the network; None when there is none."""
    if not address.startswith("hf://"):
        path = Path(address)
        return path if path.exists() else None
    from huggingface_hub import try_to_load_from_cache

    hub = HubPath.parse(address)
    found = try_to_load_from_cache(hub.repo, hub.path, revision=hub.revision)
    return Path(found) if isinstance(found, str) else None


def fetch(address: str, progress: Progress | None = None, base: Path | None = None) -> Path:
    """A local file for an address, downloaded into the Hub's cache if need be.

    Args:
        address: a local path or hf://owner/repo/path[@revision].
        progress: told about the bytes as they come.
        base: folder that relative local paths start from.

    Raises:
        Unreachable: the Hub cannot be reached, refuses, or does not have the file.
        InputError: a local file does not exist, or the address has no known form.
    """
    if not address.startswith("hf://"):
        if "://" in address:
            raise InputError(f"'{address}' cannot be fetched; give a local path or an hf:// path.")
        path = (base or Path()) / address
        if not path.exists():
            raise InputError(f"There is no file {path}.")
        return path
    hub = HubPath.parse(address)
    if offline():
        found = cached(address)
        if found is None:
            raise Unreachable(
                f"{hub.repo}/{hub.path} is not in the cache and CALM_OFFLINE forbids the Hub; "
                f"load the model once with the network, or use a bundled model.",
                "CALM_OFFLINE is set",
            )
        return found
    return _download(hub, progress)


def _download(hub: HubPath, progress: Progress | None) -> Path:
    from huggingface_hub import errors as hub_errors
    from huggingface_hub import hf_hub_download

    name = f"{hub.repo}/{hub.path}"
    extra: dict[str, Any] = {} if progress is None else {"tqdm_class": _bar(name, progress)}
    try:
        return Path(hf_hub_download(hub.repo, hub.path, revision=hub.revision, **extra))
    except hub_errors.GatedRepoError as error:
        raise Unreachable(
            f"{name} is gated: accept its terms at https://huggingface.co/{hub.repo} and log in with `hf auth login`.",
            "its terms are not accepted on this machine",
        ) from error
    except hub_errors.LocalEntryNotFoundError as error:
        raise Unreachable(
            f"{name} is not in the cache and the Hub cannot be reached; connect to the network or use a bundled model.",
            "the Hub cannot be reached",
        ) from error
    except (hub_errors.EntryNotFoundError, hub_errors.RepositoryNotFoundError) as error:
        raise Unreachable(
            f"The Hub has no {name} at revision {hub.revision or 'main'}; check the path.",
            "the Hub does not have it",
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise InputError(f"The disk is full: {name} could not be stored; free some space and try again.") from error
        raise Unreachable(
            f"{name} could not be downloaded ({type(error).__name__}); check the network and try again.",
            "the Hub cannot be reached",
        ) from error
    except (hub_errors.HFValidationError, hub_errors.RevisionNotFoundError) as error:
        raise InputError(f"'{name}' is not a valid Hub path; check its spelling.") from error


def _bar(name: str, progress: Progress) -> type:
    """A stand-in for tqdm that reports to `progress` instead of drawing a bar."""
    from tqdm.auto import tqdm

    class Reporter(tqdm):
        def __init__(self, *args: Any, **kwargs: Any):
            kwargs.pop("name", None)
            kwargs["disable"] = False
            kwargs["file"] = open(os.devnull, "w")  # noqa: SIM115  (closed with the bar)
            super().__init__(*args, **kwargs)

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            progress(name, int(self.n), None if self.total is None else int(self.total))
            return shown

        def close(self) -> None:
            super().close()
            self.fp.close() if hasattr(self.fp, "close") else None

    return Reporter


@dataclass(frozen=True)
class Fetched:
    """Weights on disk and a sentence about which ones they are."""

    path: Path
    cloning: bool
    notice: str


def fetch_weights(
    address: str,
    open_address: str | None,
    progress: Progress | None = None,
    base: Path | None = None,
) -> Fetched:
    """The weights with voice cloning when they can be had, else the open ones without it.

    Raises:
        InputError: neither can be had; the sentence names the way out.
    """
    try:
        path = fetch(address, progress, base)
        return Fetched(path, True, "These are the weights with voice cloning.")
    except Unreachable as refused:
        if open_address is None:
            raise
        path = fetch(open_address, progress, base)
        repo = HubPath.parse(address).repo
        return Fetched(
            path,
            False,
            f"These are the open weights without voice cloning, because those with it could not "
            f"be had ({refused.reason}); to clone voices, accept the terms at "
            f"https://huggingface.co/{repo} and log in with `hf auth login`, then load the model "
            f"again.",
        )
