"""What the graph tells of a tensor."""

from __future__ import annotations

import torch

from unstuck.observe import graph


def test_the_numbers_beside_what_layers_made_are_data() -> None:
    made = torch.randn(8, 3, requires_grad=True) * 2
    numbers = torch.randn(8, 2)
    for joined in (torch.cat([made, numbers], 1), torch.cat([made, numbers], -1),
                   torch.cat([made, numbers[:, :1], numbers[:, 1:], made], 1)):
        data = graph.data_beside(joined)
        assert data is not None
        assert torch.equal(data, numbers)


def test_a_state_of_zeros_and_what_layers_made_alone_are_none() -> None:
    made = torch.randn(8, 3, requires_grad=True) * 2
    zeros, numbers = torch.zeros(8, 2), torch.randn(8, 2)
    for joined in (torch.cat([made, zeros], 1), torch.cat([made, made], 1),
                   torch.cat([numbers, made, numbers], 1), made, numbers,
                   torch.cat([numbers, numbers], 1)):
        assert graph.data_beside(joined) is None
