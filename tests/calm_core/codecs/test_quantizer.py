"""Residual codebooks: the nearest code, hand-worked averages, gradients, dead codes, one result for all processes."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from calm_core.codecs.quantizer import ResidualVectorQuantizer, kmeans

WORLD = """
import sys
from tests.calm_core.codecs.test_quantizer import train_in_company
train_in_company(sys.argv[1], rank=1)
"""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def vectors(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed))


def started(levels: int = 4, codes: int = 16, width: int = 6, **changes: float) -> ResidualVectorQuantizer:
    quantizer = ResidualVectorQuantizer(width, levels, codes, **changes)  # type: ignore[arg-type]
    quantizer.start(vectors(1, 400, width), generator())
    return quantizer


def test_codes_are_those_of_a_search_by_hand() -> None:
    quantizer = ResidualVectorQuantizer(2, 2, 3)
    quantizer.codebooks.copy_(torch.tensor([[[0, 0], [4, 0], [0, 4]], [[0, 0], [1, 0], [0, -1]]]))
    latents = torch.tensor([[[4.9, 0.2], [0.1, 2.9], [0.4, 0.1]]])
    codes = quantizer.quantize(latents)
    assert codes.tolist() == [[[1, 1], [2, 2], [0, 0]]]
    assert quantizer.dequantize(codes).tolist() == [[[5, 0], [0, 3], [0, 0]]]
    assert quantizer.dequantize(codes[..., :1]).tolist() == [[[4, 0], [0, 4], [0, 0]]]


def test_each_level_leaves_less() -> None:
    quantizer = started(levels=6)
    latents = vectors(2, 50, 6, seed=2)
    codes = quantizer.quantize(latents)
    left = [(quantizer.dequantize(codes[..., :k]) - latents).square().mean().item() for k in range(1, 7)]
    assert all(later < 0.9 * earlier for earlier, later in itertools.pairwise(left))


def test_kmeans_finds_clusters_that_are_far_apart() -> None:
    centres = torch.tensor([[0.0, 0], [50, 0], [0, 50], [50, 50]])
    cloud = (centres[:, None] + vectors(4, 30, 2)).flatten(0, 1)
    for seed in range(20):  # a start with one vector of each cluster
        found, counts = kmeans(cloud, 4, generator(seed))
        if counts.eq(30).all():
            torch.testing.assert_close(found[found.sum(1).argsort()][0], cloud[:30].mean(0))
            return
    pytest.fail("no start of twenty found the clusters")


def test_kmeans_of_fewer_vectors_than_codes_is_exact() -> None:
    few = vectors(5, 3)
    centres, counts = kmeans(few, 8, generator())
    assert counts.sum() == 5
    assert torch.cdist(few, centres).amin(1).max() < 1e-6


def test_averages_follow_equation_by_hand() -> None:
    """Two codes, decay 0.75: usage 1 and 1 meet shares 3/4 and 1/4 of four vectors, times two codes."""
    quantizer = ResidualVectorQuantizer(1, 1, 2, decay=0.75)
    quantizer.codebooks.copy_(torch.tensor([[[0.0], [10.0]]]))
    quantizer.started.fill_(True)
    quantizer(torch.tensor([[[1.0], [2.0], [3.0], [12.0]]]), generator())
    assert quantizer.usage.tolist() == [[0.75 + 0.25 * 1.5, 0.75 + 0.25 * 0.5]]
    first = (0.75 * 0 + 0.25 * (1 + 2 + 3) / 2) / 1.125
    second = (0.75 * 10 + 0.25 * 12 / 2) / 0.875
    torch.testing.assert_close(quantizer.codebooks.flatten(), torch.tensor([first, second]))


def test_dead_codes_begin_anew_at_a_vector_of_the_batch() -> None:
    quantizer = ResidualVectorQuantizer(1, 1, 2, decay=0.5, dead_usage=0.1)
    quantizer.codebooks.copy_(torch.tensor([[[0.0], [1e3]]]))
    quantizer.started.fill_(True)
    latents = torch.tensor([[[1.0], [2.0], [3.0], [4.0]]])
    for _ in range(3):
        quantizer(latents, generator())
    assert quantizer.usage[0, 1] == 0.125
    quantizer(latents, generator())
    assert quantizer.codebooks[0, 1] in latents and quantizer.usage[0, 1] == 1


def test_the_gradient_goes_straight_through_and_codebooks_take_none() -> None:
    quantizer = started().eval()
    latents = vectors(3, 5, 6, seed=2).requires_grad_()
    quantized = quantizer(latents, generator())
    weights = vectors(3, 5, 6, seed=3)
    (quantized.latents * weights).sum().backward()
    torch.testing.assert_close(latents.grad, weights)
    torch.testing.assert_close(quantized.latents, quantizer.dequantize(quantizer.quantize(latents)))
    assert torch.equal(quantized.codes, quantizer.quantize(latents))
    latents.grad = None
    quantizer(latents, generator()).commitment.backward()
    # Each level pulls towards its code: d/dz of the mean over K levels of |z - q_1 - ... - q_k|^2 / (T D), over B rows.
    sums = torch.stack([quantizer.dequantize(quantized.codes[..., :k]) for k in range(1, 5)])
    torch.testing.assert_close(latents.grad, 2 * (latents.detach() - sums).mean(0) / (5 * 6) / 3)


def test_dropout_uses_the_first_levels_of_some_rows() -> None:
    quantizer = started(levels=8).eval()
    latents = vectors(200, 3, 6, seed=2)
    quantized = quantizer(latents, generator(), dropout=0.5)
    prefixes = torch.stack([quantizer.dequantize(quantized.codes[..., :k]) for k in range(1, 9)])
    matches = (prefixes - quantized.latents).abs().amax((2, 3)) < 1e-5
    assert matches.any(0).all()
    whole = matches[7].float().mean()
    assert abs(whole - (0.5 + 0.5 / 8)) < 0.1
    assert matches[:7].any(1).all()


def test_training_follows_its_vectors_and_evaluation_changes_nothing() -> None:
    torch.manual_seed(0)
    quantizer = ResidualVectorQuantizer(6, 2, 32, codebook_dim=4)
    quantizer.start(vectors(4, 64, 6), generator())
    latents = vectors(4, 64, 6, seed=2) + 3
    first = quantizer(latents, generator()).commitment
    for step in range(50):
        last = quantizer(latents, generator(step)).commitment
    assert last < 0.3 * first
    before = {name: tensor.clone() for name, tensor in quantizer.state_dict().items()}
    quantizer.eval()
    quantizer(latents, generator())
    assert all(torch.equal(before[name], tensor) for name, tensor in quantizer.state_dict().items())
    assert quantizer.perplexity().min() >= 1 and quantizer.perplexity().max() <= 32


def train_in_company(folder: str, rank: int) -> torch.Tensor:
    """One of two processes, each with its own half of the data and its own draws; codes that do not die, and some that
    do."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    try:
        fresh = ResidualVectorQuantizer(4, 2, 8, dead_usage=0.5)
        for step in range(3):
            fresh(vectors(2, 20, 4, seed=step)[rank][None], generator(rank))
        for mine in (fresh.codebooks, fresh.usage):
            theirs = mine.clone()
            dist.broadcast(theirs, 0)
            assert torch.equal(theirs, mine)
        return one_step(vectors(2, 20, 4)[rank][None])
    finally:
        dist.destroy_process_group()


def one_step(latents: torch.Tensor) -> torch.Tensor:
    """Codebooks that begin at given codes after one step, without replacement."""
    quantizer = ResidualVectorQuantizer(4, 2, 8, decay=0.5, dead_usage=0.0)
    quantizer.codebooks.copy_(vectors(2, 8, 4, seed=9))
    quantizer.started.fill_(True)
    quantizer(latents, generator())
    return quantizer.codebooks


def test_two_processes_agree_and_average_over_all_vectors(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", WORLD, str(tmp_path)], cwd=Path(__file__).parents[3])
    try:
        together = train_in_company(str(tmp_path), rank=0)
        assert other.wait(60) == 0
    finally:
        other.kill()
    torch.testing.assert_close(together, one_step(vectors(2, 20, 4)))
    assert not torch.allclose(together, one_step(vectors(2, 20, 4)[:1]))
