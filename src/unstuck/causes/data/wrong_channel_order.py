"""Wrong channel order: images or series with channels last were reshaped, not permuted."""

from __future__ import annotations

import math

import numpy as np

from unstuck.measures.basics import failed, succeeded, thinned, unwatched
from unstuck.measures.origins import input_steps, nearest
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import MoveChannels, Remedy, Safety, SwapAxes
from unstuck.schema.facts.calls import StepKind
from unstuck.schema.facts.models import Model, Swapped
from unstuck.schema.facts.statistics import Statistics, Subject
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.quantities import StepSignal
from unstuck.schema.signals.inputs import (
    CHANNEL_COMB,
    CHANNELS_LAST_ROUGHNESS,
    PICTURE_ROUGHNESS,
    SERIES_ROUGHNESS,
    STEPS_FIRST_ROUGHNESS,
)
from unstuck.words import count, number, times

RATIO = Threshold(
    "channels-last-ratio", 0.7,
    "In their true order, images are far smoother than in any other. Images that are already in "
    "order get rougher if they are read with channels last, and noise stays equally rough.",
    "photographs of scikit-learn cropped at four scales, smooth fields, tinted digits and noise: "
    "none of 800 batches of 8 in the right order had a ratio below the limit; after a reshape, 84 "
    "to 100 % of the batches of photographs and smooth fields did, but only 1 % of those of "
    "tinted 8 x 8 digits",
)
HINT = Threshold(
    "channels-last-hint", 0.9,
    "Noise is equally rough in both readings, and images in order get rougher. So a reading that "
    "is a tenth smoother in every batch says something, but not enough for a verdict.",
    "noisy pictures of shapes after a reshape: 0.82",
)
SMOOTH = Threshold(
    "smooth-picture", 0.7,
    "If neighbours hardly resemble each other in either reading, the data are not images, and no "
    "order of theirs could be wrong.",
    "independent noise has 1, whatever its distribution",
)
COMB = Threshold(
    "channel-comb", 0.04,
    "In images that are in order, numbers differ the more the further apart they lie. If those "
    "that lie exactly one pixel apart in the other reading are more alike than those between, in "
    "both directions, that reading is the true one.",
    "median of five batches of 8: at most 0.015 for photographs, tinted digits, smooth fields, "
    "stripes and checks with a period of the number of channels, masks and noise in the right "
    "order; after a reshape 0.03 to 0.24, but below 0.04 for a fifth of those of photographs",
)
EACH = Threshold(
    "channel-comb-each", 0.02,
    "Every batch has to say so, beyond the noise of a small one.",
    "least of five batches in the right order: at most 0.012",
)
FEWEST = Threshold(
    "fewest-batches", 3.0,
    "One odd batch, perhaps of a single image, shows only the texture of that image. The order of "
    "the axes is the same in every batch.",
    "the first five steps are always sampled",
)

SERIES_RATIO = Threshold(
    "steps-first-ratio", 0.9,
    "Where one channel as given ends and the next begins, the numbers of series in order have "
    "nothing in common. So a reading that is a tenth smoother there too, and smoother in every "
    "batch, is the true one.",
    "waves, random walks and noise of 2 to 12 channels: 0.9 to 37 in order, 0.03 to 0.87 after a "
    "reshape",
)
SERIES_SMOOTH = Threshold(
    "smooth-series", 0.85,
    "If neighbouring steps hardly resemble each other in either reading, no order could be wrong.",
    "independent noise has 1, and a batch of 32 series of two channels has 0.85 by chance in one "
    "of five batches",
)


def _detect(view: View) -> Verdict:
    within = _swapped(view)
    if within is not None:
        return within
    if view.has(SERIES_ROUGHNESS) and view.has(STEPS_FIRST_ROUGHNESS):
        return _series(view)
    if not (view.has(PICTURE_ROUGHNESS) and view.has(CHANNELS_LAST_ROUGHNESS)):
        blind = unwatched(view.record)
        if blind is not None:
            return Unknown(blind, (PICTURE_ROUGHNESS.name, CHANNELS_LAST_ROUGHNESS.name))
        return Absent("no model's first layer takes images or series with several channels")
    series, other = view[PICTURE_ROUGHNESS], view[CHANNELS_LAST_ROUGHNESS].finite
    given = series.finite
    if not len(given) or not np.array_equal(given.steps, other.steps):
        return Unknown("the images are constant or not finite", ("images that vary",))
    rough, smooth = float(np.median(given.values)), float(np.median(other.values))
    # Every batch has to say so.
    swapped = bool(np.all(other.values <= view.limit(RATIO) * given.values))
    comb = view[CHANNEL_COMB].finite if view.has(CHANNEL_COMB) else None
    if not swapped and comb is not None and len(comb) >= view.limit(FEWEST) and (
        float(np.min(comb.values)) >= view.limit(EACH)
        and float(np.median(comb.values)) >= view.limit(COMB)
    ):
        return _striped(view, comb)
    if not swapped and comb is not None and len(comb) and (
        float(np.median(comb.values)) >= view.limit(EACH)
    ):
        return Unknown("numbers of the images are somewhat more alike if they lie as far apart as "
                       "neighbouring pixels of images with channels last", (_LOOK,))
    if not swapped and bool(np.all(other.values <= view.limit(HINT) * given.values)):
        return Unknown("every batch of images is somewhat smoother if it is read with channels "
                       f"last, but both readings are rough ({number(rough)} as given, "
                       f"{number(smooth)} with channels last; noise has 1)",
                       (_LOOK,))
    if not swapped:
        return Absent("the images do not become much smoother if they are read with channels last "
                      f"(roughness: {number(rough)} as given, {number(smooth)} with channels "
                      "last; noise has 1)")
    if not smooth <= view.limit(SMOOTH):
        return Absent("neighbouring values are not alike in either order, so these are not images "
                      f"(roughness: {number(rough)} and {number(smooth)}; noise has 1)")
    if not len(given) >= view.limit(FEWEST):
        return Unknown(f"only {count(len(given), 'batch')} of images could be checked",
                       ("a longer run",))
    return _scrambled(view, PICTURE_ROUGHNESS, CHANNELS_LAST_ROUGHNESS, "images", "pixels",
                      "height, width, channels", view.limit(RATIO), "")


def _series(view: View) -> Verdict:
    """Series with channels last, of which a reshape made series with channels first."""
    given, other = view[SERIES_ROUGHNESS].finite, view[STEPS_FIRST_ROUGHNESS].finite
    if not len(given) or not np.array_equal(given.steps, other.steps):
        return Unknown("the series are constant or not finite", ("series that vary",))
    rough, smooth = float(np.median(given.values)), float(np.median(other.values))
    if not bool(np.all(other.values < given.values)) or (
        not smooth <= min(view.limit(SERIES_SMOOTH), view.limit(SERIES_RATIO) * rough)
    ):
        return Absent("neighbouring steps of the series are not clearly more alike if the numbers "
                      f"are read as steps, channels (roughness: {number(rough)} as given, "
                      f"{number(smooth)} otherwise; noise has 1)")
    if not len(given) >= view.limit(FEWEST):
        return Unknown(f"only {count(len(given), 'batch')} of series could be checked",
                       ("a longer run",))
    return _scrambled(
        view, SERIES_ROUGHNESS, STEPS_FIRST_ROUGHNESS, "series", "steps", "steps, channels",
        view.limit(SERIES_RATIO),
        ", also from the end of one channel as given to the beginning of the next")


def _scrambled(
    view: View, as_given: StepSignal, otherwise: StepSignal, data: str, neighbours: str,
    axes: str, ratio: float, also: str,
) -> Present:
    """Data that are smoother by a `ratio` in the other reading than as they are given."""
    given, other = view[as_given].finite, view[otherwise].finite
    rough, smooth = float(np.median(given.values)), float(np.median(other.values))
    return Present(
        strength=0.9, of_value=True,
        title=f"the {data} are scrambled: neighbouring {neighbours} differ "
        f"{times(rough / smooth if smooth > 0 else math.inf)} as much as when the same numbers "
        f"are read as {axes}",
        since_step=0,
        location=_call(view),
        label=_LABELS[data],
        evidence=(
            Evidence(as_given.name, "", *thinned(given.steps, given.values), smooth / ratio,
                     f"as given, the {data} have a roughness of {number(rough)} (0: smooth, 1: "
                     "noise)"),
            Evidence(otherwise.name, "", *thinned(other.steps, other.values), None,
                     f"read with channels last, the same {count(len(other), 'batch')} are smoother "
                     f"throughout{also} (median roughness: {number(smooth)})"),
        ),
        remedies=(_permuted(view),),
    )


def _swapped(view: View) -> Present | None:
    """A view within the model in place of a permute, told by its shapes."""
    found = min(view.record.facts(Swapped), default=None,
                key=lambda each: (each.classes is None, each.cuts_in_order))
    if found is None:
        return None
    if found.in_data:
        return _recut(view, found)
    fine = succeeded(view.outcome)
    sizes = found.given[1:], found.taken[1:]
    seen = ("the shape after the view is that of the same axes in another order, so what stood "
            "together as one channel is torn apart")
    if found.classes is not None:
        seen = (f"the layer before makes a number for each of the {found.classes} classes along "
                "one axis, the view cuts this axis up, and the loss takes numbers of one class for "
                "those of all classes")
    return Present(
        strength=0.95 if found.classes is not None else 0.45 if fine or (
            found.cuts_in_order and not failed(view.outcome)) else 0.85,
        certain=found.classes is not None,
        title=f"a view of {found.given} as {found.taken} scrambles the numbers within each sample, "
        "because a view does not swap axes",
        since_step=0, location=found.location,
        label=f"{sizes[0]} becomes {sizes[1]}, but the numbers stay in the same order",
        evidence=(Evidence("", "", (), (), None, seen),),
        remedies=(Remedy("put the axes in order before the reshape", Safety.SAFE,
                         (SwapAxes(found.location, found.order),)),),
    )


def _recut(view: View, found: Swapped) -> Present:
    """A view of the data in place of a permute, told by the numbers of a sample."""
    sizes = found.given[1:], found.taken[1:]
    return Present(
        strength=0.9, of_value=True,
        title=f"the samples are scrambled: {sizes[0]}, as they are kept, becomes {sizes[1]} by a "
        "reshape, which does not swap axes",
        since_step=0, location=_call(view),
        label=f"{sizes[0]} becomes {sizes[1]}, but the numbers stay in the same order",
        evidence=(Evidence("", "", (), (), None, "the model receives the numbers of a sample in "
                           "the order in which they are kept, cut up along other axes"),),
        remedies=(_permuted(view),),
    )


_LOOK = "a look at one image: does x[0].permute(1, 2, 0) show it as it should be"
_LABELS = {"images": "channels-last images were reshaped instead of permuted",
           "series": "series with channels last were reshaped instead of permuted"}


def _call(view: View) -> SourceLocation | None:
    """Where the images got their shape, else where the program first calls its model."""
    return nearest(input_steps(view), StepKind.SHAPED) or next(
        (m.call_location for m in view.record.facts(Model) if m.call_location is not None), None)


def _striped(view: View, comb: Series) -> Present:
    """Images that are too noisy to be smooth, but whose channels alternate in memory."""
    return Present(
        strength=0.8, of_value=True,
        title="the images are scrambled: their channels alternate from number to number, as in "
        "images stored as height, width, channels",
        since_step=0,
        location=_call(view),
        label=_LABELS["images"],
        evidence=(Evidence(
            CHANNEL_COMB.name, "", *thinned(comb.steps, comb.values), view.limit(COMB),
            "numbers that lie one pixel apart if the channels come last are more alike than those "
            f"between them, in each of {count(len(comb), 'batch')}"),),
        remedies=(_permuted(view),),
    )


def _permuted(view: View) -> Remedy:
    shape = next((each.shape[1:] for each in view.record.facts(Statistics)
                  if each.subject is Subject.INPUTS and len(each.shape) in (3, 4)), ())
    channels = next((each.shape[1] for each in view.record.parameters().values()
                     if len(each.shape) == len(shape) + 1), 0)  # of the first convolution
    kind, sizes, last = ("series", "steps", "0, 2, 1") if len(shape) == 2 else (
        "images", "height, width", "0, 3, 1, 2")
    advice = (f"Replace the view or reshape that gives the {kind} the shape (samples, channels, "
              f"{sizes}) with a permute, which moves the numbers along with the axes.")
    if not shape or channels not in (shape[0], shape[-1]):
        return Remedy("permute the axes", Safety.ADVICE, advice=advice,
                      code_text=f"x = x.permute({last})  # in place of view/reshape")
    rest = shape[1:] if shape[0] == channels else shape[:-1]
    edit = MoveChannels((channels, *rest), nearest(input_steps(view), StepKind.SHAPED))
    return Remedy("permute the axes", Safety.SAFE, (edit,), advice=advice)


CAUSE = Cause(
    slug="wrong-channel-order",
    code="D010",
    title="Wrong channel order",
    family="Data",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU, Symptom.OVERFITS),
    words=Words(
        symptom="A convolutional network learns slowly, or to a poor accuracy, on images that "
        "similar networks handle well. Nothing crashes, because all shapes fit.",
        consequence="No channel contains a single colour any more, and adjacent pixels are no "
        "longer neighbours in the image. The filters see stripes of mixed colours, and edges are "
        "torn to pieces.",
        why="The methods view and reshape leave the numbers where they are in memory and only "
        "rename the axes. "
        "Images read from files are stored as height, width, channels. PyTorch's convolutions "
        "take channels, height, width, even in the channels_last memory format. Only a permute "
        "gets from one to the other.",
        detection="Neighbouring pixels of an image are alike. unstuck takes their mean squared "
        "difference where the first convolution receives them, and again with the same numbers "
        "read as height, width, channels. The axes were mixed up only if the second reading is "
        "much smoother, in both directions and in every batch checked. In noisy images, the "
        "channels are still seen to alternate: numbers that lie one pixel apart in the second "
        "reading are more alike than those between them. Series are compared in the same way, also "
        "where one channel as given ends and the next begins. Within the model, a view is reported "
        "whose shape is that of its axes in another order; before a loss, one that cuts up the "
        "axis of the classes. Of the data, a sample is compared with the row that it comes from: "
        "the same numbers in the same order, in a shape whose axes have changed places, were "
        "reshaped.",
        limitations="Noise has no order to be found, so images of noise alone are missed where the "
        "data that they come from are not seen. So are nearly grey images, whose channels are as "
        "alike as neighbours. A fine diagonal texture would look swapped if its period in pixels "
        "equals the number of channels. Volumes, series that a recurrent layer receives, and "
        "images whose height was taken for channels are not judged.",
        references=(
            "PyTorch documentation: torch.Tensor.view, torch.permute, tensor views",
            "Ruderman 1994: The statistics of natural images, Network 5",
        ),
    ),
    needs=(),
    uses=(PICTURE_ROUGHNESS, CHANNELS_LAST_ROUGHNESS, CHANNEL_COMB, SERIES_ROUGHNESS,
          STEPS_FIRST_ROUGHNESS),
    thresholds=(RATIO, HINT, SMOOTH, COMB, EACH, FEWEST, SERIES_RATIO, SERIES_SMOOTH),
    effects=(
        Effect.CLASSES_RARE, Effect.LABELS_UNPREDICTABLE, Effect.UPDATES_TOO_SMALL,
        Effect.CANNOT_FIT,
    ),
    detect=_detect,
)
