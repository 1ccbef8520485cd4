"""Anchors are every other position; the rest sees those of them that are near, and nothing else."""

import pytest
import torch

from tfic.codec.checkerboard import REACH, Context, board


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 3), (6, 8)])
def test_a_board_lists_each_position_once_anchors_first(size: tuple[int, int]) -> None:
    place = board(*size, torch.device("cpu"))
    black = [i * size[1] + j for i in range(size[0]) for j in range(size[1]) if (i + j) % 2 == 0]
    assert place.order[: place.anchors].tolist() == black
    assert sorted(place.order.tolist()) == list(range(size[0] * size[1]))
    x = torch.randn(2, 3, *size)
    sequence = place.to_sequence(x)
    assert torch.equal(sequence[1, 0], x[1, :, 0, 0])
    assert torch.equal(place.to_map(sequence), x)


def test_a_position_is_told_by_its_own_features_and_the_anchors_within_reach() -> None:
    height, width = 7, 6
    place = board(height, width, torch.device("cpu"))
    context = Context(channels=2, features=3)
    torch.nn.init.normal_(context.out.weight)
    y_hat = torch.randn(1, 2, height, width, requires_grad=True)
    features = torch.randn(1, height * width, 3, requires_grad=True)
    told = context(place.to_sequence(y_hat)[:, : place.anchors], features, place)
    assert told.shape == (1, height * width - place.anchors, 4)
    for p, position in enumerate(place.order[place.anchors :].tolist()):
        row, column = divmod(position, width)
        to_y, to_features = torch.autograd.grad(told[0, p].sum(), (y_hat, features), retain_graph=True)
        seen = {tuple(each) for each in to_y.abs().sum((0, 1)).nonzero().tolist()}
        assert seen == {
            (i, j)
            for i in range(height)
            for j in range(width)
            if (i + j) % 2 == 0 and max(abs(i - row), abs(j - column)) <= REACH
        }
        assert to_features[0].abs().sum(1).nonzero().flatten().tolist() == [place.anchors + p]


def test_before_training_it_tells_nothing() -> None:
    place = board(4, 4, torch.device("cpu"))
    assert not Context(2, 3)(torch.randn(1, 8, 2), torch.randn(1, 16, 3), place).any()
