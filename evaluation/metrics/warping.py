"""Distances between sequences of feature vectors: dynamic time warping over angles, many pairs at once."""

import numpy as np


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle between vectors `[..., N, D]` and `[..., M, D]` in units of pi: `[..., N, M]`, 0 alike, 1 opposite.

    A vector of zeros has no direction: 0 from another such vector, one half from all others.
    """
    units, zero = [], []
    for vectors in (first, second):
        norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
        zero.append(norms[..., 0] == 0)
        units.append(vectors / np.where(norms == 0, 1, norms))
    cosines = np.clip(units[0] @ units[1].swapaxes(-1, -2), -1.0, 1.0)
    cosines[zero[0][..., :, None] & zero[1][..., None, :]] = 1.0
    return np.arccos(cosines) / np.pi


def warp(distances: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Mean distance along the cheapest path of each pair (Sakoe and Chiba 1978), whose steps go on in one or both.

    The sum is divided by the length of the path, as ZeroSpeech does; where paths cost the same, diagonal steps count
    as cheaper, then steps along the columns.

    Args:
        distances: Between frames, `[P, N, M]` for P pairs, padded at the end with any numbers.
        rows: Frames of the first sequence of each pair, `[P]`, at least 1.
        columns: Of the second, `[P]`, at least 1.

    Returns:
        `[P]`.
    """
    pairs, height, width = distances.shape
    frames = np.ascontiguousarray(distances.transpose(1, 2, 0))
    cost = np.full((height + 1, width + 1, pairs), np.inf)  # a border of infinite cost above and to the left
    cost[0, 0] = 0.0
    length = np.zeros((height + 1, width + 1, pairs), dtype=np.int64)
    for diagonal in range(height + width - 1):  # cells of one anti-diagonal need only those before it
        i = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        j = diagonal - i
        best, steps = cost[i, j], length[i, j]
        for above, beside in ((i + 1, j), (i, j + 1)):
            cheaper = cost[above, beside] < best
            best = np.where(cheaper, cost[above, beside], best)
            steps = np.where(cheaper, length[above, beside], steps)
        cost[i + 1, j + 1] = best + frames[i, j]
        length[i + 1, j + 1] = steps + 1
    every = np.arange(pairs)
    return cost[rows, columns, every] / length[rows, columns, every]


def sequence_distances(first: list[np.ndarray], second: list[np.ndarray]) -> np.ndarray:
    """Warped angular distances between the sequences `[T, D]` of two lists: `[len(first), len(second)]`.

    Every sequence has at least one frame.
    """

    def stacked(sequences: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        lengths = np.array([len(sequence) for sequence in sequences])
        block = np.zeros((len(sequences), lengths.max(), sequences[0].shape[1]))
        for place, sequence in enumerate(sequences):
            block[place, : len(sequence)] = sequence
        return block, lengths

    (a, rows), (b, columns) = stacked(first), stacked(second)
    frames = angles(a[:, None], b[None])
    pairs = (len(first) * len(second), *frames.shape[2:])
    return warp(frames.reshape(pairs), np.repeat(rows, len(b)), np.tile(columns, len(a))).reshape(len(a), len(b))
