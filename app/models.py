"""Models of the engine: which there are, how they sample, and those in memory."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.engine import Report, clap_folder, download_report, sampling_facts, sentences
from app.errors import UserError
from app.settings import ASSETS, Settings

GO_ON = "speech_continuation"
# By task: what its models do, and the settings that name the first of them and further ones.
_CHOSEN = {
    GO_ON: ("continues speech", "default_continuation", "extra_continuations"),
    "music_continuation": ("continues music", "default_music", "extra_music"),
    "clap_to_music": ("makes music of a description", "default_music", "extra_music"),
}


class Models:
    """Lists models, loads each once and keeps those that were used last."""

    def __init__(self, settings: Settings):
        """Loads nothing; set `imported` once the engine can be imported without a wait."""
        self._settings = settings
        self.imported = threading.Event()
        self._lock = threading.Lock()
        self._loading: dict[tuple[str, str], threading.Lock] = {}
        self._loaded: OrderedDict[tuple[str, str], Any] = OrderedDict()  # by task and identifier

    def engine(self) -> Any:
        """The package `calm_core`."""
        self.imported.wait(self._settings.warm_up_timeout_seconds)
        import calm_core

        return calm_core

    def all(self) -> list[dict[str, Any]]:
        """Every model with id, task, title, parameters, source, licence, language and all its tasks."""
        with sentences():
            known = [asdict(info) for info in self.engine().list_models()]
            settings = self._settings
            local = {"parameters": None, "source": "local", "licence": "", "language": ""}
            for task, own in (
                ("tts", [settings.default_model, *settings.extra_models]),
                (GO_ON, settings.extra_continuations),
                ("music_continuation", settings.extra_music),
                ("codec", [settings.default_codec, *settings.extra_codecs]),
            ):
                listed = {info["id"] for info in known}
                added = [path for path in map(str, own) if path not in listed]
                known += [{"id": path, "task": task, "title": Path(path).stem, **local} for path in added]
            return [{**info, "tasks": self._tasks(info)} for info in known]

    @staticmethod
    def _tasks(info: dict[str, Any]) -> tuple[str, ...]:
        """All tasks of a listed model; one that makes music of descriptions needs its CLAP model for that."""
        tasks = tuple(info.get("tasks") or (info["task"],))
        if info["task"] != "music_continuation":
            return tasks
        return ("music_continuation", "clap_to_music") if clap_folder(info["id"]) else ("music_continuation",)

    def of(self, task: str) -> list[dict[str, Any]]:
        """The models of one of the tasks that start from sound or a description: as `all`, with how they sample.

        The default comes first, then those that the settings add. Only configurations are read, no weights.
        """
        _, default, extra = _CHOSEN[task]
        first = [getattr(self._settings, default), *map(str, getattr(self._settings, extra))]
        with sentences():
            known = [sampling_facts(info) for info in self.all() if task in info["tasks"]]
        return sorted(known, key=lambda one: first.index(one["id"]) if one["id"] in first else len(first))

    def default(self, task: str) -> str:
        """The model of such a task when none is asked for: the setting's, else one of latents, else any.

        Raises:
            UserError: there is none at all.
        """
        does, setting, extra = _CHOSEN[task]
        known = self.of(task)
        if not known:
            raise UserError(
                f"No model that {does} is bundled with this server; set CALM_{extra.upper()} to one.",
                status=404,
                code="model_not_found",
                param="model",
            )
        default = getattr(self._settings, setting)
        return next((one for one in known if one["id"] == default or not one["discrete"]), known[0])["id"]

    def fingerprint(self, model: str) -> str:
        """Changes whenever the files of a model or of its CLAP change; one of the Hub is known by its name."""
        folder = ASSETS / "checkpoints" / model
        folder = folder if folder.is_dir() else Path(model)
        files = sorted(folder.glob("*")) if folder.is_dir() else [folder] if folder.exists() else []
        with suppress(UserError), sentences():  # what is no model of ours is refused when it is loaded
            if folder.is_dir() and (clap := clap_folder(model)):
                files += sorted(Path(clap).glob("*"))
        stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        return hashlib.sha256(repr((model, stats)).encode()).hexdigest()

    def in_memory(self) -> list[str]:
        """Identifiers of the models that are loaded."""
        return list(dict.fromkeys(model for _, model in list(self._loaded)))

    def is_loaded(self, model: str, task: str) -> bool:
        """Whether a model is in memory for a task."""
        return (task, model) in self._loaded

    def load(self, model: str, task: str, report: Report | None = None) -> Any:
        """A listed model for a task, loaded once whoever asks; a codec can be taken from every model.

        Raises:
            UserError: it is not listed.
            InputError: it cannot be loaded.
        """
        key = (task, model)
        with self._lock:
            if key in self._loaded:
                self._loaded.move_to_end(key)
                return self._loaded[key]
            gate = self._loading.setdefault(key, threading.Lock())
        with gate:  # one load at a time for each model
            if key in self._loaded:
                return self._loaded[key]
            self._check_listed(model, task)
            loaded = self.engine().load(model, task=task, progress=download_report(report))
            with self._lock:
                self._loaded[key] = loaded
                while len(self._loaded) > self._settings.loaded_models:
                    self._loaded.popitem(last=False)
            return loaded

    def _check_listed(self, model: str, task: str) -> None:
        """Only listed models may be loaded: a path or a Hub address from outside is refused."""
        listed = [info["id"] for info in self.all() if task in info["tasks"] or task == "codec"]
        if model not in listed:
            raise UserError(
                f"There is no model '{model[:60]}'; GET /api/v1/models lists those that there are.",
                status=404,
                code="model_not_found",
                param="model",
            )
