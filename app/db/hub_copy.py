"""A copy of a folder in a private dataset on the Hub, for hosts whose disk does not outlive a restart.

Files in the folder are only ever added or appended to, which is what the Hub's scheduler assumes. A live database is
never in it: the journal is, and the sounds of the studies.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.errors import UserError

log = logging.getLogger(__name__)
LAST_PUSH_SECONDS = 60.0


class HubCopy:
    """Fetches the folder when the process starts, pushes what is new every few minutes and once more at the end.

    Args:
        folder: what is copied.
        repo: `owner/name` of the dataset; made, private, when it is not there.
        every_minutes: between two pushes; the Hub takes about 100 commits an hour.
        endpoint: another address of the Hub.
    """

    def __init__(self, folder: Path, repo: str, *, every_minutes: float = 2.0, endpoint: str | None = None):
        from huggingface_hub import HfApi

        self._folder, self._repo, self._every = folder, repo, every_minutes
        self._api = HfApi(endpoint=endpoint)
        self._scheduler: Any = None

    def pull(self) -> None:
        """Fetch every file of the copy.

        Raises:
            UserError: the Hub does not answer. Starting without the older votes would give new rows the place of
                theirs, so the app does not start then.
        """
        from huggingface_hub.errors import RepositoryNotFoundError

        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._fetch()  # the Hub's client itself waits and asks again when the Hub is away for a moment
        except RepositoryNotFoundError:
            log.warning("The dataset %s is not there yet; it will be made.", self._repo)
        except Exception as error:
            raise UserError(
                f"The records of the listening tests cannot be fetched from {self._repo} on the Hub ({error}); "
                "check HF_TOKEN and CALM_JOURNAL_REPO, then start again.",
                status=503,
            ) from error

    def _fetch(self) -> None:
        from huggingface_hub import hf_hub_download

        for name in self._api.list_repo_files(self._repo, repo_type="dataset"):
            target = self._folder / name
            if name.startswith(".") or target.exists():
                continue
            found = hf_hub_download(
                self._repo, name, repo_type="dataset", endpoint=self._api.endpoint, cache_dir=self._folder / ".hub"
            )
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.part")
            part.write_bytes(Path(found).read_bytes())
            part.replace(target)

    def start(self) -> Any:
        """Begin to push; returns the lock under which lines are to be written.

        Raises:
            UserError: the dataset cannot be made or written.
        """
        from huggingface_hub import CommitScheduler

        try:
            self._scheduler = CommitScheduler(
                repo_id=self._repo,
                repo_type="dataset",
                folder_path=self._folder,
                every=self._every,
                private=True,
                hf_api=self._api,
                ignore_patterns=[".*", ".hub/**", "**/.*"],
            )
        except Exception as error:
            raise UserError(
                f"The dataset {self._repo} on the Hub cannot be written ({error}); give the Space an HF_TOKEN that may "
                "write it, or set another CALM_JOURNAL_REPO.",
                status=503,
            ) from error
        return self._scheduler.lock

    def push(self) -> None:
        """Push what is new, now.

        Raises:
            Exception: whatever the Hub's client meets.
        """
        self._scheduler.trigger().result(LAST_PUSH_SECONDS)

    def close(self) -> None:
        """Push what is new and stop; a failure is logged, since the process ends anyway."""
        if self._scheduler is None:
            return
        try:
            self.push()
        except Exception as error:
            log.error("The last push to %s failed: %s", self._repo, error)
        with suppress(Exception):
            self._scheduler.stop()
        self._scheduler = None
