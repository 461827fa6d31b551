"""Augmentation breaks pairs: picture and target map are cropped or mirrored apart."""

from __future__ import annotations

from unstuck.measures.basics import last
from unstuck.measures.labels import pairs_location
from unstuck.measures.origins import called_apart
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Remedy, Safety, TransformTogether
from unstuck.schema.facts.pairs import DrawnApart
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.schema.signals.pairs import (
    PAIR_BEST_FIT,
    PAIR_FIT,
    PAIR_PLACED,
    PAIR_SPREAD,
    PAIR_SURPLUS,
    PAIR_TURNED,
)
from unstuck.words import number, percent

SURPLUS = Threshold(
    "pair-surplus", 4.0,
    "In standard errors. Maps must fit their own pictures better, mirrored and moved as they may "
    "be, than pictures of other samples. Otherwise nothing shows that they belong together.",
    "a normal distribution exceeds 4 once in 30,000 times",
)
PLACED = Threshold(
    "pair-placed", 0.55,
    "Share of the samples whose map fits best where it is. Aligned pairs have 0.8 and more, even "
    "with noise; one mirror image in two leaves 0.5 at most.",
    "measured on pictures with noise of half of the signal's size",
)
HERE = Threshold(
    "pair-fit-over-best", 0.7,
    "Where they are, the maps must fit much worse than at their best places.",
    "aligned pairs have 0.95 and more",
)
TURNED = Threshold(
    "pair-turned", 0.4,
    "Share of the samples whose map fits best when it is mirrored. Nothing but augmentation "
    "mirrors some samples and others not; a moving scene or a noisy fit reaches a quarter.",
    "one mirror image in two gives 0.5",
)
ASTRAY = Threshold(
    "pair-spread", 0.4,
    "The best places must differ from sample to sample. A map that is moved alike in all samples "
    "is what the network is to learn.",
    "a choice: fewer than two in three samples agree",
)
LESS = Threshold(
    "placed-over-held-out", 0.6,
    "If training maps are in place so much less often than held-out maps, augmentation has moved "
    "them, whatever it does.",
    "a choice",
)


def _detect(view: View) -> Verdict:
    if not view.has(PAIR_SURPLUS) or "train" not in view[PAIR_SURPLUS]:
        return Absent("no loss has a target for each place of the model's input") if not view.has(
            PAIR_FIT) else Unknown("the targets of too few pictures were seen")
    surplus, here, best, placed, turned, spread = (last(view[s]) for s in (
        PAIR_SURPLUS, PAIR_FIT, PAIR_BEST_FIT, PAIR_PLACED, PAIR_TURNED, PAIR_SPREAD))
    if not all("train" in each for each in (surplus, here, best, placed, turned, spread)):
        return Unknown("how the target maps fit their pictures is not a finite number",
                       ("pictures and target maps that are finite",))
    fits = placed["train"] > view.limit(PLACED) or (
        here["train"] > view.limit(HERE) * best["train"])
    if fits:
        return Absent(f"the target maps fit their pictures where they are (correlation "
                      f"{number(here['train'])}; best place: {number(best['train'])})")
    held = placed.get("held-out")
    if "held-out" in here and surplus["held-out"] >= view.limit(SURPLUS) and (
            here["held-out"] > view.limit(HERE) * best["held-out"]
            and here["train"] <= view.limit(LESS) * here["held-out"]
            and spread["train"] >= view.limit(ASTRAY)):
        return _present(view, held)  # what is like a stranger's map may fit that as well
    if not surplus["train"] >= view.limit(SURPLUS):
        return Unknown("nothing simple relates the target maps to their pictures, in any place",
                       ("targets that follow the brightness of the inputs",))
    if not spread["train"] >= view.limit(ASTRAY):
        return Absent("the target maps lie in the same way in most samples")
    better = held is not None and held > view.limit(PLACED) and (
        placed["train"] <= view.limit(LESS) * held)
    if not better and not turned["train"] >= view.limit(TURNED):
        return Unknown("the target maps are moved against their pictures, which may be what the "
                       "network is to learn", ("a loss on held-out pairs",))
    return _present(view, held if better else None)


def _present(view: View, held: float | None) -> Present:
    here, best, placed, turned = (last(view[s])["train"] for s in (
        PAIR_FIT, PAIR_BEST_FIT, PAIR_PLACED, PAIR_TURNED))
    fact = next(iter(view.record.facts(DrawnApart)), None)
    step = int(view[PAIR_FIT]["train"].steps[-1])
    than = "" if held is None else f" (held-out: {percent(held)})"
    paired = pairs_location(view)
    return Present(
        strength=0.9 if turned >= view.limit(TURNED) else 0.75,
        title=f"pictures and target maps are augmented apart: only {percent(placed)} of the maps "
        f"fit best where they are{than}",
        since_step=0,
        location=fact.location if fact is not None else (
            called_apart(view) or paired),
        label="this draws other random numbers than its partner gets" if fact is not None else
        "these inputs and targets are turned and moved apart",
        evidence=(
            Evidence(PAIR_FIT.name, "train", (step,), (here,), view.limit(HERE) * best,
                     f"where they are, maps and pictures have a correlation of {number(here)}; at "
                     f"the best place of each it is {number(best)}, more than for maps of other "
                     "samples"),
            Evidence(PAIR_TURNED.name, "train", (step,), (turned,), view.limit(TURNED),
                     f"{percent(turned)} of the maps fit best when they are mirrored or turned"),
        ),
        remedies=(Remedy(
            "transform both together", Safety.SAFE if fact is not None else Safety.ADVICE,
            () if fact is None else (TransformTogether(fact.location),),
            advice="Draw the random numbers of a sample once and apply them to both: stack picture "
            "and map before the transform, pass both to one call (torchvision.transforms.v2 with "
            "tv_tensors, albumentations), or seed before each of the two calls alike.",
            code_text="both = transform(torch.cat([image, mask]))\n"
            "image, mask = both[:len(image)], both[len(image):]"),),
    )


CAUSE = Cause(
    slug="augmentation-breaks-pairs",
    code="D013",
    title="Augmentation breaks pairs",
    family="Data",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU,),
    words=Words(
        symptom="A segmentation or an image-to-image network stays poor, and outputs blurred maps "
        "or the same map for every picture. Without augmentation it learns.",
        consequence="The targets of a pixel belong to another pixel, at random. The best that the "
        "network can learn is their average.",
        why="A random transform draws its numbers when it is called. Called once for the picture "
        "and once for the mask, it mirrors, crops or turns the two in different ways.",
        detection="Here unstuck keeps small copies of pictures and target maps, as the model and "
        "the loss receive them. It looks for the place at which each map fits its picture best, "
        "among all movements and mirror images. If most maps fit elsewhere than where they are, "
        "each in another place, and better than maps of other samples fit, the pair was broken. A "
        "scene that moves is never mirrored.",
        limitations="The map must follow the brightness of the picture, or of its contrast. Crops "
        "alone are distinguished from motion only if a loss on held-out pairs is computed. "
        "Rotations by other angles, and targets that are not maps, such as boxes and points, are "
        "not looked at.",
        references=(
            "torchvision: Transforms v2, images and masks together",
            "Padfield 2012: Masked object registration in the Fourier domain",
        ),
    ),
    needs=(),
    uses=(PAIR_FIT, PAIR_BEST_FIT, PAIR_SURPLUS, PAIR_PLACED, PAIR_TURNED, PAIR_SPREAD,
          BATCH_SIZE),
    thresholds=(SURPLUS, PLACED, HERE, TURNED, ASTRAY, LESS),
    effects=(
        Effect.CLASSES_RARE, Effect.LABELS_UNPREDICTABLE, Effect.LABELS_WRONG,
        Effect.CANNOT_FIT,
    ),
    detect=_detect,
)
