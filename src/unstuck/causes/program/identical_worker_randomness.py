"""Identical worker randomness: every loader worker draws the same numbers from its own copy."""

from __future__ import annotations

from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Remedy, Safety
from unstuck.schema.facts.data import Loader
from unstuck.schema.findings import Absent, Evidence, Present, Verdict
from unstuck.schema.signals.batches import COPIED_GENERATORS
from unstuck.words import count, joined

COPIES = Threshold(
    "copied-generators", 1.0,
    "If all workers copy one generator, everything drawn from it is repeated.",
    "by definition",
)


def _detect(view: View) -> Verdict:
    if not view.has(COPIED_GENERATORS):
        return Absent("no loader has several workers without a worker_init_fn")
    counts = view[COPIED_GENERATORS]
    guilty = [
        loader for loader in view.record.facts(Loader)
        if loader.name in counts and loader.generators
        and float(counts[loader.name].values[-1]) >= view.limit(COPIES)
    ]
    if not guilty:
        return Absent("no two workers draw from copies of the same generator")
    loader = guilty[0]
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
            Remedy("seed the generator of each worker", Safety.ADVICE,
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
        "torch, numpy and random are reseeded.",
        detection="When a loader with at least two workers and no worker_init_fn is built, "
        "unstuck searches its data set, transforms and collate function for generators. It looks "
        "at attributes, at the globals of their code and at closures. A generator counts if the "
        "program's own code that fetches samples mentions it. It does not count if that code "
        "replaces it, seeds it, or asks which worker it runs in.",
        limitations="Generators inside installed packages or deep inside nested objects are not "
        "found. A worker_init_fn is trusted, even if it gives all workers the same seed. If the "
        "fetching code seeds any generator, unstuck assumes that the problem is solved.",
        references=(
            "PyTorch: Data loading, randomness in multi-process data loading",
            "NumPy: Parallel random number generation",
        ),
    ),
    needs=(),
    uses=(COPIED_GENERATORS,),
    thresholds=(COPIES,),
    effects=(Effect.BATCHES_ALIKE, Effect.SAMPLES_FEW),
    detect=_detect,
)
