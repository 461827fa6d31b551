"""Wrong channel order: pictures with channels last were reshaped, not permuted."""

from __future__ import annotations

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import thinned, unwatched
from unstuck.edits import Remedy, Safety
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import CHANNELS_LAST_ROUGHNESS, PICTURE_ROUGHNESS
from unstuck.words import number

RATIO = Threshold(
    "channels-last-ratio", 0.7,
    "Read in their true order pictures are far smoother than in any other. Pictures that are in "
    "order come out rougher if read with channels last, and noise equally rough.",
    "photographs of scikit-learn cut at four scales, smooth fields, tinted digits, noise: of 800 "
    "batches of 8 in order none had a ratio below it; reshaped, 84 to 100 in 100 of photographs "
    "and smooth fields did, of tinted 8 x 8 digits 1",
)
SMOOTH = Threshold(
    "smooth-picture", 0.7,
    "Where neighbours hardly resemble each other in either reading, the data are no pictures and "
    "have no order that could be wrong.",
    "independent noise has 1, whatever its distribution",
)
FEWEST = Threshold(
    "fewest-batches", 3.0,
    "One odd batch, perhaps of a single picture, shows the texture of that picture alone; the "
    "order of the axes is the same in every batch.",
    "the first five steps are always sampled",
)


def _detect(view: View) -> Verdict:
    if not (view.has(PICTURE_ROUGHNESS) and view.has(CHANNELS_LAST_ROUGHNESS)):
        blind = unwatched(view.facts)
        if blind is not None:
            return Unknown(blind, (PICTURE_ROUGHNESS.name, CHANNELS_LAST_ROUGHNESS.name))
        return Absent("no model's first layer takes pictures of several channels")
    series, other = view[PICTURE_ROUGHNESS], view[CHANNELS_LAST_ROUGHNESS].finite
    given = series.finite
    if not len(given) or not np.array_equal(given.steps, other.steps):
        return Unknown("the pictures are constant or not finite", ("pictures that vary",))
    rough, smooth = float(np.median(given.values)), float(np.median(other.values))
    # Every batch has to say so.
    swapped = bool(np.all(other.values <= view.limit(RATIO) * given.values))
    if not swapped:
        return Absent(f"neighbouring pixels differ by {number(rough)} of the variance as given, "
                      f"by {number(smooth)} if read with channels last")
    if not smooth <= view.limit(SMOOTH):
        return Absent(f"neighbouring values are unlike in either order: {number(rough)} and "
                      f"{number(smooth)} of the variance")
    if not len(given) >= view.limit(FEWEST):
        return Unknown(f"only {len(given)} batches of pictures were looked at",
                       ("a run of more steps",))
    model = next((m for m in view.facts.models if m.call_location is not None), None)
    return Present(
        strength=0.9,
        title=f"the pictures are scrambled: neighbouring pixels differ by {number(rough)} of the "
        f"variance, but by {number(smooth)} if the same numbers are read as height, width, "
        "channels",
        since_step=0,
        location=model.call_location if model is not None else None,
        label="pictures with channels last were reshaped, not permuted",
        evidence=(
            Evidence(PICTURE_ROUGHNESS.name, "", *thinned(given.steps, given.values),
                     smooth / view.limit(RATIO),
                     f"as given, neighbours differ by {number(rough)} of the variance"),
            Evidence(CHANNELS_LAST_ROUGHNESS.name, "", *thinned(other.steps, other.values),
                     None,
                     f"read with channels last, by {number(smooth)} in all {len(other)} batches"),
        ),
        remedies=(Remedy(
            "permute the axes", Safety.ADVICE,
            advice="Replace the view or reshape that brings the pictures into shape (samples, "
            "channels, height, width) by a permute: it moves the numbers along with the axes.",
            code_text="x = x.permute(0, 3, 1, 2)  # from (N, H, W, C), in place of view/reshape",
        ),),
    )


CAUSE = Cause(
    slug="wrong-channel-order",
    code="D010",
    title="Wrong channel order",
    family="Data",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="A convolutional network learns slowly or to a poor accuracy, on pictures on which "
        "its like does well; nothing crashes, for the shapes all fit.",
        consequence="No channel holds a colour any more and neighbours are no neighbours: the "
        "filters see stripes of mixed colours, and what was an edge lies in pieces.",
        why="View and reshape leave the numbers where they are in memory and only rename the axes. "
        "Pictures read from files lie there as height, width, channels; a convolution takes "
        "channels, height, width, and only a permute gets from the one to the other.",
        detection="Neighbouring pixels of a picture are alike. Their mean squared difference is "
        "taken where the first convolution receives them, and again with the same numbers read as "
        "height, width, channels. Only if the second reading is much smoother, in both "
        "directions and in every batch looked at, were the axes renamed.",
        limitations="Noise has no order to be found; very noisy pictures are missed, and so "
        "are nearly grey ones, whose channels are alike as neighbours are. A fine diagonal "
        "texture with a period of as many pixels as there are channels would look swapped. "
        "Series, volumes, and height taken for channels are not judged.",
        references=(
            "PyTorch documentation: torch.Tensor.view, torch.permute, tensor views",
            "Ruderman 1994: The statistics of natural images, Network 5",
        ),
    ),
    needs=(),
    uses=(PICTURE_ROUGHNESS, CHANNELS_LAST_ROUGHNESS),
    thresholds=(RATIO, SMOOTH, FEWEST),
    explains=("noise-floor", "too-shallow", "too-narrow", "learning-rate-too-low",
              "labels-unrelated-to-inputs"),
    detect=_detect,
)
