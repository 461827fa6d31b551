"""Samples that a model receives as one row of tokens, with the places where each begins."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from unstuck.observe.tensors import observable

WIDEST = 64  # tokens of a sample that are looked at
FILLER = -1  # no token
_INTEGERS = (torch.int64, torch.int32)


def unbagged(module: nn.Module, given: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """The tokens of each sample, of shape (n, WIDEST), the shorter ones filled up.

    So for a model that hands all tokens and their offsets, shape (n,), to an `nn.EmbeddingBag`;
    None for any other. Nothing is read from the device.
    """
    tokens = given[0]
    if tokens.ndim != 1 or tokens.dtype not in _INTEGERS:
        return None
    offsets = next((each for each in given[1:] if each.ndim == 1 and each.dtype in _INTEGERS
                    and 1 < len(each) <= len(tokens) and observable(each)), None)
    if offsets is None:
        return None
    bag = next((part for part in module.modules() if isinstance(part, nn.EmbeddingBag)), None)
    if bag is None or bag.include_last_offset:
        return None
    with torch.no_grad():
        starts = offsets.detach().to(torch.int64)[:, None]
        ends = torch.cat([starts[1:], torch.full_like(starts[:1], len(tokens))])
        places = starts + torch.arange(WIDEST, device=tokens.device)
        known = tokens.detach()[places.clamp(0, len(tokens) - 1)]
        return torch.where(places < ends, known, FILLER)
