"""The towers and the loss: hand-worked values, and what padding must not change."""

import math

import pytest
import torch
from torch.nn import functional as F

from calm_core.clap.model import AttentionPool, contrastive_loss
from calm_core.clap.retrieval import chance, same_texts, wrong_ahead
from calm_core.clap.windows import mean_direction, window_count
from calm_core.nn.mel import LogMel
from tests.calm_core.clap import sounds


def test_embeddings_have_length_one_and_do_not_depend_on_their_neighbours() -> None:
    clap = sounds.build()
    mel = torch.randn(3, 100, 24, generator=torch.Generator().manual_seed(0)) - 6
    lengths = torch.tensor([100, 37, 5])
    together = clap.audio(mel, lengths)
    assert together.shape == (3, 16) and torch.allclose(together.norm(dim=1), torch.ones(3), atol=1e-6)
    for row, length in enumerate(lengths.tolist()):
        alone = clap.audio(mel[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-4, atol=1e-5)
    # what lies behind a row's length is not heard, whatever it is
    mel[1, 37:] = 1e3
    torch.testing.assert_close(clap.audio(mel, lengths)[1], together[1], rtol=1e-4, atol=1e-5)


def test_captions_do_not_depend_on_their_neighbours_but_on_their_order() -> None:
    text = sounds.build().text
    together = text(text.collate([[1, 2, 3], [4, 5, 6, 7, 8, 9, 10]]))
    assert together.shape == (2, 16) and torch.allclose(together.norm(dim=1), torch.ones(2), atol=1e-6)
    torch.testing.assert_close(text(text.collate([[1, 2, 3]]))[0], together[0], rtol=1e-4, atol=1e-5)
    turned = text(text.collate([[3, 2, 1]]))[0]
    assert (turned - together[0]).norm() > 1e-3
    assert text.collate([list(range(50))]).shape == (1, 32)  # max_tokens


def test_pooling_is_a_weighted_mean_of_what_is_there() -> None:
    pool = AttentionPool(2)
    x = torch.tensor([[[1.0, 0.0], [0.0, 3.0], [50.0, 50.0]]])
    keep = torch.tensor([[True, True, False]])
    torch.testing.assert_close(pool(x, keep), torch.tensor([[0.5, 1.5]]))  # begins as the mean
    with torch.no_grad():
        pool.score.weight.copy_(torch.tensor([[math.log(3.0), 0.0]]))  # scores log 3 and 0: weights 3/4 and 1/4
    torch.testing.assert_close(pool(x, keep), torch.tensor([[0.75, 0.75]]))


def test_the_loss_by_hand() -> None:
    """Two orthogonal sounds with their own captions at scale s: each row costs log(1 + exp(-s))."""
    eye = torch.eye(2)
    loss = contrastive_loss(eye, eye, torch.tensor(2.0), torch.eye(2, dtype=torch.bool))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-6)
    swapped = contrastive_loss(eye, eye.flip(0), torch.tensor(2.0), torch.eye(2, dtype=torch.bool))
    assert swapped.item() == pytest.approx(2 + math.log(1 + math.exp(-2)), rel=1e-6)


def test_a_caption_that_two_sounds_share_pushes_neither_away() -> None:
    sound = F.normalize(torch.tensor([[1.0, 0.2], [1.0, -0.2]]), dim=1)
    words = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    shared = contrastive_loss(sound, words, torch.tensor(10.0), torch.ones(2, 2, dtype=torch.bool))
    assert shared.item() == pytest.approx(math.log(2), rel=1e-5)  # nothing tells them apart, and nothing should


def test_recall_and_chance_by_hand() -> None:
    same = same_texts(["a", "b", "a", "c"])
    assert same.tolist()[0] == [True, False, True, False]
    cosines = torch.tensor([[0.1, 0.9, 0.8, 0.0], [0.5, 0.5, 0.1, 0.0], [0.9, 0.1, 0.0, 0.0], [0.3, 0.2, 0.1, 0.0]])
    # a: b is ahead; b: ties with a wrong one, which counts as ahead; a: found; c: three are ahead
    assert wrong_ahead(cosines, same).tolist() == [1, 1, 0, 3]
    # at 1: 2/4 for the two that share a caption, 1/4 for the others
    assert chance(same, 1) == pytest.approx((0.5 + 0.25 + 0.5 + 0.25) / 4)
    assert chance(same, 10) == 1.0


@pytest.mark.parametrize(
    ("seconds", "windows"), [(0.1, 1), (10.0, 1), (10.4, 1), (11.0, 2), (15.0, 2), (29.98, 5), (30.0, 5), (31.0, 6)]
)
def test_windows_begin_every_half_window(seconds: float, windows: int) -> None:
    assert window_count(seconds, 10.0) == windows


def test_a_long_sound_is_the_normalised_mean_of_its_windows() -> None:
    clap = sounds.build()
    mel = torch.randn(200, 24, generator=torch.Generator().manual_seed(1)) - 6  # 4 s, windows of 2 s every second
    windows = clap.audio.embed_windows(mel)
    assert windows.shape == (3, 16)
    torch.testing.assert_close(clap.audio(mel[None, 50:150], torch.tensor([100]))[0], windows[1])
    mean = mean_direction(windows)
    torch.testing.assert_close(mean, windows.sum(0) / windows.sum(0).norm())


def test_mel_bands_of_a_tone() -> None:
    """A full-scale sine of 1 kHz: its band is the loudest, frames are whole and centred on their hop."""
    log_mel = LogMel(8000, 512, 160, 24)
    wave = torch.sin(2 * torch.pi * 1000 * torch.arange(8000) / 8000)
    bands = log_mel(wave[None])[0]
    assert bands.shape == (50, 24)
    edges = torch.linspace(0, 2595 * math.log10(1 + 4000 / 700), 26)
    centres = 700 * (10 ** (edges[1:-1] / 2595) - 1)
    assert bands[25].argmax() == (centres - 1000).abs().argmin()
    click = torch.zeros(1, 1600)
    click[0, 4 * 160 + 80] = 1.0
    assert log_mel(click)[0].sum(1).argmax() == 4
    assert log_mel(torch.zeros(1, 161)).shape == (1, 2, 24)
    torch.testing.assert_close(log_mel(torch.zeros(1, 161)).exp(), torch.full((1, 2, 24), 1e-4))
