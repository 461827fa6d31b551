"""Data loaders: their construction, their iteration, and the samples that they draw."""

from __future__ import annotations

from torch.utils.data import DataLoader, WeightedRandomSampler, dataloader

from unstuck.observe.hooks.taps import Taps


class LoaderHooks:
    """Tells of data loaders."""

    def __init__(self, taps: Taps) -> None:
        self._taps = taps

    def install(self) -> None:
        """Puts the hooks into torch."""
        taps = self._taps
        taps.swap(DataLoader.__init__, taps.after(taps.event("loader_built")))
        taps.swap(WeightedRandomSampler.__init__, taps.after(taps.event("sampler_built")))
        taps.swap(DataLoader.__iter__, taps.before(taps.event("loader_iterated")))
        draw = getattr(getattr(dataloader, "_BaseDataLoaderIter", None), "_next_index", None)
        drawing = draw and taps.swap(draw, taps.after(taps.event("batch_drawn"), True))
        if drawing:  # nobody asks in quiet steps
            taps.switches.loud.append(drawing)
