"""DNSMOS P.835 (Reddy et al. 2022): three predicted opinions of a clip without a reference.

The network is Microsoft's `sig_bak_ovr.onnx` of the DNS Challenge, a file that the user names; it gives raw scores of
windows of 9.01 s, which a polynomial brings to the scale of listeners.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.optional import existing_file, require

_RATE = 16_000
_WINDOW = int(9.01 * _RATE)
_NAMES = ("sig", "bak", "ovr")
# Coefficients of the fits that come with the network, highest power first.
_FITS = {
    "sig": (-0.08397278, 1.22083953, 0.0052439),
    "bak": (-0.13166888, 1.60915514, -0.39604546),
    "ovr": (-0.06766283, 1.11546468, 0.04602535),
}


def windows(samples: np.ndarray) -> np.ndarray:
    """Windows `[N, 144160]` of samples `[T]` at 16 kHz, one a second; a short clip is doubled until it fills one."""
    while len(samples) < _WINDOW:
        samples = np.concatenate([samples, samples])
    count = int(len(samples) // _RATE - _WINDOW / _RATE) + 1
    starts = [start for start in range(0, count * _RATE, _RATE) if start + _WINDOW <= len(samples)]
    return np.stack([samples[start : start + _WINDOW] for start in starts]).astype(np.float32)


def opinions(raw: np.ndarray) -> dict[str, float]:
    """Mean over windows of the fitted scores: signal, background and overall, from raw ones `[N, 3]`."""
    return {name: float(np.polyval(_FITS[name], raw[:, place]).mean()) for place, name in enumerate(_NAMES)}


class Dnsmos:
    """The loaded network.

    Raises:
        InputError: No such file, one without three scores, or onnxruntime is missing.
    """

    def __init__(self, path: Path):
        existing_file(path, "model", "give --mos-model Microsoft's sig_bak_ovr.onnx")
        runtime = require("onnxruntime", "The metric dnsmos", "onnxruntime==1.32.0")
        try:
            self._session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            (network_input,), (output, *_) = self._session.get_inputs(), self._session.get_outputs()
            if len(network_input.shape) != 2 or len(output.shape) != 2 or output.shape[1] != len(_NAMES):
                raise ValueError
        except Exception as error:  # the runtime's own errors have no common class that is public
            raise InputError(
                f"{path} is not a DNSMOS P.835 network, which takes [N, {_WINDOW}] samples and gives [N, 3] scores."
            ) from error
        self._input = network_input.name

    def __call__(self, clip: Clip) -> dict[str, float]:
        """Predicted opinions `sig`, `bak` and `ovr` of a clip, 1 to 5.

        Raises:
            InputError: The clip is silent.
        """
        samples = clip.at(_RATE)
        if not samples.any():
            raise InputError(f"DNSMOS cannot score {clip.item}: it is silent.")
        raw = [self._session.run(None, {self._input: window[None]})[0][0] for window in windows(samples)]
        return opinions(np.asarray(raw))


@lru_cache(maxsize=1)
def find_dnsmos(models: Sequence[str]) -> Dnsmos:
    """The network among the files that the user names, told by its suffix `.onnx`.

    Raises:
        InputError: There is none, or see `Dnsmos`.
    """
    for name in models:
        if name.endswith(".onnx"):
            return Dnsmos(Path(name))
    raise InputError("The metric dnsmos needs --mos-model FILE.onnx: Microsoft's sig_bak_ovr.onnx (DNS Challenge).")


class OpinionRows:
    """DNSMOS of clips that are handed over one by one."""

    def __init__(self, network: Dnsmos):
        self._network = network
        self._found: dict[str, dict[str, float]] = {}

    def add(self, clip: Clip) -> None:
        """Take a clip in; see `Dnsmos.__call__` for what is raised."""
        self._found[Path(clip.item).name] = self._network(clip)

    def rows(self) -> list[tuple[str, str, float]]:
        """Opinions of each clip and their means as `(item, metric, value)`; `dnsmos` is the overall one."""
        rows = []
        for name, metric in (("ovr", "dnsmos"), ("sig", "dnsmos_signal"), ("bak", "dnsmos_background")):
            values = {item: opinion[name] for item, opinion in self._found.items()}
            rows += [(item, metric, value) for item, value in values.items()]
            rows.append(("mean", metric, sum(values.values()) / len(values)))
        return rows
