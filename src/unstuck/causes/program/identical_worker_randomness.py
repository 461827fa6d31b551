"""Identical worker randomness: every loader worker draws the same numbers from its own copy."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import thinned
from unstuck.measures.origins import training_loaders
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Remedy, Safety, SeedByWorker, SeedCopies
from unstuck.schema.facts.data import Loader
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.batches import COPIED_GENERATORS, SAME_BATCH
from unstuck.words import count, joined, number

FEWEST_TURNS = 3  # of all workers, in which their batches are compared
APART = "a worker_init_fn that seeds by torch.initial_seed()"
COPIES = Threshold(
    "copied-generators", 1.0,
    "If all workers copy one generator, everything drawn from it is repeated.",
    "by definition",
)


def _detect(view: View) -> Verdict:
    trained = training_loaders(view)
    loaders = [x for x in view.record.facts(Loader) if x.workers >= 2 or (
        x.workers and x.name in trained and (x.unread or x.seeded is not None))]
    counts = view[COPIED_GENERATORS] if view.has(COPIED_GENERATORS) else {}
    guilty = [
        loader for loader in loaders
        if loader.name in counts and loader.generators
        and (loader.seeded is None or loader.name in trained)
        and float(counts[loader.name].values[-1]) >= view.limit(COPIES)
    ]
    guilty = guilty or [x for x in loaders if x.unread and x.name in trained and (
        x.seeded is not None and _in_turn(view, x.workers))]
    if not guilty:
        return _harmless(loaders, trained)
    loader = guilty[0]
    if loader.seeded is not None:
        return _seeded(view, loader)
    names = joined(loader.generators)
    series = counts[loader.name]
    first = next((name for name in loader.generators if name.isidentifier()), "rng")
    return Present(
        strength=0.9, certain=True,
        title=f"the {count(loader.workers, 'worker')} of a loader draw the same random numbers, "
        f"from identical copies of {names}",
        since_step=0,
        location=loader.location,
        label=f"every worker starts with the same state of {names}",
        evidence=(Evidence(
            COPIED_GENERATORS.name, loader.name, tuple(int(s) for s in series.steps),
            tuple(float(v) for v in series.values), view.limit(COPIES),
            f"each of the {count(loader.workers, 'worker')} gets a copy of {names} in the same "
            "state and draws samples with it, and no worker_init_fn reseeds it"),),
        remedies=(
            Remedy("seed the generator of each worker", Safety.SAFE,
                   (SeedCopies(loader.location, first),),
                   advice="Give the loader a worker_init_fn that replaces each copy by a generator "
                   "of the same kind, seeded with torch.initial_seed().",
                   code_text="def reseed(worker):\n    get_worker_info().dataset."
                   f"{first} = np.random.default_rng(torch.initial_seed())\n\n"
                   "DataLoader(..., worker_init_fn=reseed)"),
            Remedy("draw from torch's global generator", Safety.ADVICE,
                   advice="Call torch.rand, torch.randn or torch.randint without a generator. "
                   "PyTorch seeds the global generator differently in every worker.",
                   code_text="torch.randn(6)  # each worker has its own seed"),
        ),
    )


def _in_turn(view: View, workers: int) -> bool:
    """Whether one batch after another comes from each worker in turn, and then the next one."""
    if workers < 2 or not view.has(SAME_BATCH):
        return False
    same = view[SAME_BATCH].values
    turns = len(same) // workers
    return turns >= FEWEST_TURNS and bool(np.all(
        same[:turns * workers].reshape(turns, workers)[:, :-1] == 1))


def _harmless(loaders: list[Loader], trained: set[str]) -> Absent | Unknown:
    """Why no two workers are known to draw the same."""
    if not loaders:
        return Absent("no loader has several workers")
    if any(loader.unread and loader.name in trained for loader in loaders):
        return Unknown("it is not known whether the workers of a loader draw different numbers "
                       "after its worker_init_fn", (APART,))
    if any(loader.workers < 2 for loader in loaders):
        return Unknown("the only worker of a loader is seeded by a number that may be the same in "
                       "each epoch", (APART,))
    return Absent("no two workers that fetch training samples draw from generators in the same "
                  "state")


def _seeded(view: View, loader: Loader) -> Present:
    """A worker_init_fn seeds all workers by the same number."""
    names = joined(loader.generators)
    counts = view[COPIED_GENERATORS] if view.has(COPIED_GENERATORS) else {}
    workers = count(loader.workers, "worker")
    same = view[SAME_BATCH] if view.has(SAME_BATCH) else None
    repeated = int((same.values == 1).sum()) if same is not None else 0
    evidence = []
    if loader.name in counts:
        series = counts[loader.name]
        evidence.append(Evidence(
            COPIED_GENERATORS.name, loader.name, tuple(int(s) for s in series.steps),
            tuple(float(v) for v in series.values), view.limit(COPIES),
            f"the worker_init_fn gives {names} in each of the {workers} the same seed, and the "
            "code that fetches samples draws from it"))
    if same is not None and repeated:
        evidence.append(Evidence(
            SAME_BATCH.name, "", *thinned(same.steps, same.values), 0.0,
            f"{count(repeated, 'step')} of the first {number(len(same) + 1)} got just the samples "
            "that another worker had fetched for the step before"))
    return Present(
        strength=0.9, certain=bool(repeated),
        title=f"the {workers} of a loader draw the same random numbers, because each is seeded by "
        "the same number",
        since_step=0,
        location=loader.seeded,
        label="the same seed in each worker",
        evidence=tuple(evidence),
        remedies=(Remedy("seed each worker by its own number", Safety.SAFE,
                         (SeedByWorker(loader.seeded),)),),
    )


CAUSE = Cause(
    slug="identical-worker-randomness",
    code="P017",
    title="Identical worker randomness",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.OVERFITS, Symptom.ANOTHER),
    often=Often.SELDOM,
    words=Words(
        symptom="The training loss falls as usual, but augmentation or simulated samples help less "
        "than they should. The same random numbers come up again and again.",
        consequence="With n workers there are n times fewer different draws than it seems. Unless "
        "the workers are persistent, the same draws return every epoch, and the network fits them.",
        why="The workers of a loader are copies of the process, including the data set. A "
        "generator object in the data set is copied with its state, so all workers draw the same "
        "numbers, and the original never advances. In each worker only the global generators of "
        "torch, numpy and random are reseeded. "
        "A worker_init_fn that seeds these by one fixed number undoes that: all workers draw the "
        "same numbers, and they start again in each epoch.",
        detection="When a loader with at least two workers is built, unstuck searches its data "
        "set, transforms and collate function for generators. It looks at attributes, at the "
        "globals of their code and at closures. A generator counts if the program's own code that "
        "fetches samples mentions it. It does not count if that code replaces it, seeds it, or "
        "asks which worker it runs in. A worker_init_fn is read: a seed that depends neither on "
        "the worker nor on what PyTorch seeded it by counts, if the code that fetches training "
        "samples draws from that generator, or if the batches of the first steps repeat each other "
        "as often as there are workers.",
        limitations="Generators inside installed packages or deep inside nested objects are not "
        "found. What draws within installed packages is not seen, so after an equal seed the "
        "verdict is unknown there. It is unknown too if a worker_init_fn cannot be read. If the "
        "fetching code seeds any generator, unstuck assumes that the problem is solved.",
        references=(
            "PyTorch: Data loading, randomness in multi-process data loading",
            "NumPy: Parallel random number generation",
        ),
    ),
    needs=(),
    uses=(COPIED_GENERATORS, SAME_BATCH),
    thresholds=(COPIES,),
    effects=(Effect.BATCHES_ALIKE, Effect.SAMPLES_FEW),
    detect=_detect,
)
