import torch

from calm_core.nn.linear_prediction import LinearPrediction

DIM = 4


def process(rows: int, count: int) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
    """Rows [count, DIM] of x_t = A x_(t-1) + s e_t, with A and s."""
    draws = torch.Generator().manual_seed(0)
    matrix = 0.5 * torch.eye(DIM) + 0.2 * torch.randn(DIM, DIM, generator=draws)
    deviation = torch.tensor([0.1, 0.5, 1.0, 2.0])
    made = []
    for _ in range(rows):
        row = [torch.zeros(DIM)]
        for _ in range(count):
            row.append(matrix @ row[-1] + deviation * torch.randn(DIM, generator=draws))
        made.append(torch.stack(row))
    return made, matrix, deviation


def test_the_fit_finds_the_map_and_what_it_leaves_open() -> None:
    rows, matrix, deviation = process(20, 500)
    prediction = LinearPrediction(DIM)
    prediction.fit(rows, 0.0)
    torch.testing.assert_close(prediction.matrix, matrix, atol=0.05, rtol=0)
    torch.testing.assert_close(prediction.deviation, deviation, atol=0, rtol=0.03)
    left = torch.cat([prediction.innovation(row[1:], row[:-1]) for row in rows])
    torch.testing.assert_close(left.std(0), torch.ones(DIM), atol=0, rtol=0.02)
    last = rows[0][:-1]
    torch.testing.assert_close(prediction.frames(prediction.innovation(rows[0][1:], last), last), rows[0][1:])


def test_a_fit_to_noisy_frames_is_the_one_that_foresees_best_from_them() -> None:
    rows, _, _ = process(20, 500)
    noise = 0.5
    draws = torch.Generator().manual_seed(1)

    def error(fitted: float) -> float:
        prediction = LinearPrediction(DIM)
        prediction.fit(rows, fitted)
        noisy = [row + noise**0.5 * torch.randn(row.shape, generator=draws) for row in rows]
        squares = [
            (after[1:] - before[:-1] @ prediction.matrix.T).square() for after, before in zip(rows, noisy, strict=True)
        ]
        found = torch.cat(squares).mean(0)
        if fitted == noise:
            torch.testing.assert_close(prediction.deviation, found.sqrt(), atol=0, rtol=0.05)
        return float(found.mean())

    assert error(noise) < 0.99 * error(0.0) and error(noise) < error(5.0)


def test_drift_builds_up_as_the_process_does_and_small_ones_come_more_often() -> None:
    rows, matrix, deviation = process(20, 500)
    prediction = LinearPrediction(DIM)
    prediction.fit(rows, 0.0)
    many = torch.zeros(4000, 30, DIM)
    drift = prediction.drift(many, 0.5, torch.Generator().manual_seed(2))
    # v = 0.5 u^2 with u uniform: a sixth in the mean, an eighth in the median
    shares = (drift[:, 0] / prediction.deviation).square().mean(-1)
    assert abs(float(shares.mean()) - 0.5 / 3) < 0.02
    torch.testing.assert_close(drift[:, 0].square().mean(0), deviation.square() / 6, atol=0, rtol=0.1)
    fresh = drift[:, 1:] - drift[:, :-1] @ matrix.T
    torch.testing.assert_close(fresh.square().mean((0, 1)), deviation.square() / 6, atol=0, rtol=0.1)
    assert (drift[:, -1].square().mean(0) > 1.1 * drift[:, 0].square().mean(0)).all()
    assert torch.equal(drift, prediction.drift(many, 0.5, torch.Generator().manual_seed(2)))


def test_before_a_fit_frames_are_what_the_head_draws() -> None:
    x, last = torch.randn(3, DIM), torch.randn(3, DIM)
    prediction = LinearPrediction(DIM)
    assert torch.equal(prediction.frames(x, last), x) and torch.equal(prediction.innovation(x, last), x)
