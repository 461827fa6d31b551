"""Faults of the training code itself (P001 to P017)."""

from __future__ import annotations

from corpus.generated.faults.fault import ADDS, ANY_BASE, LABELLED, Fault, Proof
from corpus.generated.program import Program


def gradients_not_zeroed(program: Program, kind: str) -> Program:
    if kind == "never":
        return program.put(zero="")
    return program.put(zero="", begin_epoch="opt.zero_grad()")


def step_without_gradient(program: Program, kind: str) -> Program:
    if kind == "order":
        return program.put(zero="", between="opt.zero_grad()")
    return program.put(backward="")


def step_never_called(program: Program, _: str) -> Program:
    return program.put(step="")


def parameters_not_in_optimizer(program: Program, kind: str) -> Program | None:
    if kind == "head":
        return program.put(parameters="list(model.parameters())[-2:]")
    if program.loop == "rows":
        return program.put(optimizer="other = nn.Linear(4, 4)  # of an experiment before\n"
                                     "opt = torch.optim.Adam(other.parameters(), lr=1e-3)")
    return program.put(optimizer="import copy\n\nopt = torch.optim.Adam("
                                 "copy.deepcopy(model).parameters(), lr=1e-3)")


def frozen_parameters(program: Program, keep: int) -> Program:
    return program.put(before=f"for weight in list(model.parameters())[:-{keep}]:\n"
                              "    weight.requires_grad = False")


def detached_graph(program: Program, kind: str) -> Program:
    if kind == "hidden":
        return program.put(hidden="x = x.detach()")
    if kind == "numpy":
        return program.put(hidden="x = torch.from_numpy(x.detach().numpy())")
    return program.put(output="with torch.no_grad():\n    out = model(xb)<<squeeze>>\n"
                              "out.requires_grad_()")


def loss_broadcast(program: Program, kind: str) -> Program | None:
    if program.data.reads != "value" or program.base == "autoencoder":
        return None
    loss = {"library": "loss = F.mse_loss(out, yb)",
            "own": "loss = ((out - yb) ** 2).mean()",
            "absolute": "loss = F.l1_loss(out, yb)"}[kind]
    return program.put(output="out = model(xb)", loss=loss)


def modes_matter(program: Program, _: str) -> Program:
    """Layers that do something else in training than in use."""
    normed = program.base in ("mlp", "cnn")
    return program.change(norm=normed, dropout=0.0 if normed else 0.2)


def norm_does_the_scaling(program: Program, _: str) -> Program:
    """Raw inputs behind batch normalisation, which copes as long as it sees their statistics."""
    images = program.base == "cnn"
    norm = f"nn.BatchNorm{'2d' if images else '1d'}({program.data.shape[0]})"
    return program.put(units="X = X * 20 + 500", scale="", stem=f"self.enter = {norm}",
                       into="x = self.enter(x)")


def training_in_eval_mode(program: Program, kind: str) -> Program:
    if kind == "always":
        return program.put(before="model.eval()", train="")
    return program.put(train="", before="model.train()")  # lost after the first validation


def validation_in_train_mode(program: Program, _: str) -> Program:
    return program.put(eval="")


def unstable_batch_norm(program: Program, batch: int) -> Program:
    return program.change(batch=batch, steps=min(2500, program.steps))


def normed(program: Program, _: int) -> Program:
    return program.change(norm=True)


def batch_leak(program: Program, kind: str) -> Program | None:
    if kind == "order":
        if program.base not in ("gru", "transformer"):
            return None
        return program.put(batch_first="False")
    if program.base == "cnn":
        return program.put(hidden="x = x.view(x.shape[1], x.shape[0]).t()")
    return program.put(hidden={
        "view": "x = x.view(x.shape[1], x.shape[0]).t()",
        "axis": "x = x * F.softmax(x, dim=0)",
    }[kind])


def same_batch_every_step(program: Program, _: str) -> Program:
    if program.loop == "rows":
        return program.put(fetch=f"xb, yb = x_train[:{program.batch}], y_train[:{program.batch}]")
    return program.put(take="xb, yb = first_x, first_y",
                       before="first_x, first_y = next(iter(train_loader))")


def unregistered_parameters(program: Program, _: str) -> Program | None:
    if not program.depth or program.dropout or program.norm:
        return None  # modes would not reach layers in a list
    return program.put(body="self.body = <<listed>>",
                       apply="for layer in self.body:\n    x = layer(x)")


def retained_graph(program: Program, kind: str) -> Program | None:
    if kind == "sum":
        return program.put(before="history = []",
                           track="total += loss.item() * len(xb)\nhistory.append(loss)")
    return program.put(before="outputs = []",
                       track="total += loss.item() * len(xb)\noutputs.append(out)")


def gathered(program: Program, micro: int) -> Program | None:
    if program.optimizer not in ADDS or program.norm:
        return None
    return program.change(micro=micro, batch=8, steps=min(program.steps, 3200 // micro))


def accumulation_not_averaged(program: Program, _: int) -> Program:
    return program.put(divide="")


def loss_sign(program: Program, kind: str) -> Program | None:
    if kind == "backward":
        return program.put(backward="(-loss).backward()")
    if program.data.reads == "argmax":
        return program.put(loss="log_p = F.log_softmax(out, dim=1)\n"
                                "loss = log_p[torch.arange(len(yb)), yb].mean()")
    return None


AUGMENTED = '''\
class Shaken(torch.utils.data.Dataset):
    def __len__(self):
        return len(x_train)

    def __getitem__(self, index):
        noise = <<noise>>
        return x_train[index] + 0.3 * noise, y_train[index]


np.random.seed(<<seed>>)'''


def augmented(program: Program, _: str) -> Program | None:
    """Noise that each worker draws for itself."""
    if program.loop == "rows":
        return None
    return program.put(initialise=AUGMENTED, dataset="Shaken()",
                       loader_options=", num_workers=2").change(batch=64)


def identical_worker_randomness(program: Program, _: str) -> Program:
    return program.put(noise="np.random.standard_normal(x_train[0].shape).astype(np.float32)")


FAULTS = (
    Fault("gradients-not-zeroed", {"weak": "epoch", "strong": "never"}, gradients_not_zeroed,
          line=r"\.backward\(|\.step\("),
    Fault("step-without-gradient", {"one": "order", "two": "no backward"}, step_without_gradient,
          line=r"zero_grad|\.step\(|loss = ", hides=True),
    Fault("step-never-called", {"one": ""}, step_never_called,
          line=r"\.backward\(|torch\.optim", hides=True),
    Fault("parameters-not-in-optimizer", {"weak": "head", "strong": "other"},
          parameters_not_in_optimizer, line=r"torch\.optim", hides=True),
    Fault("frozen-parameters", {"weak": 2, "strong": 1}, frozen_parameters,
          line="requires_grad|torch.optim", hides=True),
    Fault("detached-graph", {"weak": "hidden", "middle": "numpy", "strong": "all"},
          detached_graph, line=r"detach|no_grad|model\(xb\)", hides=True),
    Fault("loss-broadcast", {"weak": "absolute", "middle": "own", "strong": "library"},
          loss_broadcast, bases=("mlp-regression", "gru"), line=r"loss = "),
    Fault("training-in-eval-mode", {"weak": "later", "strong": "always"}, training_in_eval_mode,
          prepare=norm_does_the_scaling, bases=("mlp", "cnn", "mlp-regression"),
          line=r"eval\(\)"),
    Fault("validation-in-train-mode", {"one": ""}, validation_in_train_mode, prepare=modes_matter,
          proof=Proof.NATURE, line=r"model\(x_val\)"),
    Fault("unstable-batch-norm", {"weak": 3, "strong": 2}, unstable_batch_norm, prepare=normed,
          bases=("mlp", "mlp-regression", "cnn")),
    Fault("batch-leak", {"weak": "axis", "middle": "view", "strong": "order"}, batch_leak,
          bases=ANY_BASE),
    Fault("same-batch-every-step", {"one": ""}, same_batch_every_step),
    Fault("unregistered-parameters", {"one": ""}, unregistered_parameters, line=r"self\.body|\["),
    Fault("retained-graph", {"weak": "sum", "strong": "outputs"}, retained_graph,
          proof=Proof.MEMORY, line=r"append|loss = "),
    Fault("accumulation-not-averaged", {"weak": 8, "strong": 32}, accumulation_not_averaged,
          prepare=gathered, bases=LABELLED),
    Fault("loss-sign", {"weak": "own", "strong": "backward"}, loss_sign,
          line=r"backward|loss = "),
    Fault("identical-worker-randomness", {"one": ""}, identical_worker_randomness,
          prepare=augmented, bases=("cnn",)),
)
