"""How much neighbours in pictures and series differ, as given and if read with channels last."""

from __future__ import annotations

import torch

from unstuck.observe.later import Later
from unstuck.observe.tensors import PIECE, first_elements
from unstuck.schema.signals.inputs import (
    CHANNEL_COMB,
    CHANNELS_LAST_ROUGHNESS,
    PICTURE_ROUGHNESS,
    SERIES_ROUGHNESS,
    STEPS_FIRST_ROUGHNESS,
)

ELEMENT_LIMIT = 300_000  # elements of a batch that are compared
SAMPLE_LIMIT = 32
SMALLEST = 8  # pixels of a side below which borders outweigh neighbours

COMB_LIMIT = 100_000  # elements of a batch that are compared at each distance

PICTURES = (PICTURE_ROUGHNESS, CHANNELS_LAST_ROUGHNESS, CHANNEL_COMB)
SERIES = (SERIES_ROUGHNESS, STEPS_FIRST_ROUGHNESS)
SIGNALS = PICTURES + SERIES


class Channels:
    """Holds a few numbers on the device from the first convolution's call to the step's end."""

    def __init__(self) -> None:
        self._roughness: list[torch.Tensor] = []
        self._series: list[torch.Tensor] = []

    def add(self, given: torch.Tensor) -> None:
        """Takes in a batch of shape (samples, channels, height, width) or (samples, channels,
        steps); others are passed by."""
        if given.ndim == 4 and not self._roughness:
            self._pictures(given)
        elif given.ndim == 3 and not self._series:
            self._steps(given)

    def _pictures(self, pictures: torch.Tensor) -> None:
        _, channels, height, width = pictures.shape
        side = min(height, width)
        # With more channels than pixels along a side it is a map of features, not a picture.
        if not 2 <= channels <= side or side < SMALLEST:
            return
        count = min(SAMPLE_LIMIT, max(1, ELEMENT_LIMIT // pictures[:1].numel()))
        given = pictures.detach()[:count]
        # Of one huge picture as many lines as lie first in its memory, whichever way it is read.
        lines = max(SMALLEST, min(height, PIECE // (channels * width)))
        last = first_elements(given, given.numel() * lines // height).float().reshape(
            -1, lines, width, channels)
        given = given[:, :, :lines].float()
        twice = 2 * given.var((1, 2, 3), correction=0)
        # A constant picture is 0 / 0 and drops out of the median.
        now = torch.stack([_change(given, 2) / twice, _change(given, 3) / twice])
        then = torch.stack([_change(last, 1) / twice, _change(last, 2) / twice])
        now, then = now.nanmedian(1).values, then.nanmedian(1).values
        # The direction that speaks least for the other reading: stripes look swapped in one alone.
        least = (then / now).argmax(0, keepdim=True)
        self._roughness = [now.gather(0, least)[0], then.gather(0, least)[0]]
        if min(lines, width) > 2 * channels:
            few = given[:max(1, COMB_LIMIT // given[:1].numel())]
            self._roughness.append(torch.minimum(
                _comb(few, channels), _comb(few.flatten(2), width * channels)))

    def _steps(self, series: torch.Tensor) -> None:
        _, channels, steps = series.shape
        if not 2 <= channels <= steps or steps < SMALLEST or channels * steps > PIECE:
            return
        count = max(1, ELEMENT_LIMIT // (channels * steps))
        given = series.detach()[:count].float()
        twice = 2 * given.var((1, 2), correction=0)
        now = torch.minimum(*(given.diff(dim=axis).square().mean((1, 2)) for axis in (1, 2)))
        flat = given.flatten(1)
        then = (flat[:, channels:] - flat[:, :-channels]).square()
        # Neighbours of the other reading of which one is the end of a channel as given and one is
        # the beginning of the next: in series that are in order these have nothing in common.
        near = torch.arange(1, channels + 1, device=flat.device)
        seams = then[:, (near[:-1, None] * steps - near).flatten()]
        now, whole, there = (
            (each / twice).nanmean() for each in (now, then.mean(1), seams.mean(1)))
        self._series = [now, torch.maximum(whole, there)]

    def flush(self, later: Later, step: int) -> None:
        """Writes what was met in a sampled step."""
        for signal, value in [*zip(PICTURES, self._roughness, strict=False),
                              *zip(SERIES, self._series, strict=False)]:
            later.row(signal, step, value)
        self._roughness, self._series = [], []


def _change(pictures: torch.Tensor, axis: int) -> torch.Tensor:
    """Per sample the mean squared difference of neighbours along an axis."""
    return pictures.diff(dim=axis).square().mean((1, 2, 3))


def _comb(rows: torch.Tensor, distance: int) -> torch.Tensor:
    """How much less numbers at a distance differ than those beside them, or twice as far.

    A texture that repeats at this distance does so at twice the distance as well, as long as no
    two numbers of different rows are compared.
    """
    twice = 2 * rows.flatten(1).var(1, correction=0)

    def differ(places: int) -> torch.Tensor:
        apart = (rows[..., places:] - rows[..., :-places]).square()
        return (apart.flatten(1).mean(1) / twice).nanmean()

    others = torch.stack([differ(distance - 1), differ(distance + 1), differ(2 * distance)])
    return others.min() - differ(distance)
