"""Faults of the signal flow (G001 to G006)."""

from __future__ import annotations

from corpus.generated.faults.fault import Fault
from corpus.generated.faults.model import DENSE
from corpus.generated.program import Program


def dead_relu(program: Program, bias: float) -> Program | None:
    """Hidden units far on the silent side, by their biases."""
    if program.activation != "ReLU" or program.norm or not program.depth:
        return None
    return program.put(initialise="for layer in model.body:\n"
                                  "    if isinstance(layer, (nn.Linear, nn.Conv2d)):\n"
                                  f"        nn.init.constant_(layer.bias, {bias:g})"
                       if program.text().count("self.body") else
                       "for layer in model[:-1]:\n"
                       "    if isinstance(layer, nn.Linear):\n"
                       f"        nn.init.constant_(layer.bias, {bias:g})")


def vanishing_gradients(program: Program, depth: int) -> Program | None:
    """As deep as rectifiers carry without trouble, with sigmoids."""
    if program.norm:
        return None
    return program.change(activation="Sigmoid", depth=depth)


def exploding_gradients(program: Program, gain: float) -> Program | None:
    if program.norm or program.activation in ("Tanh",):
        return None
    return program.change(gain=gain, depth=5)


def saturated_activations(program: Program, gain: float) -> Program | None:
    if program.norm:
        return None
    return program.change(activation="Tanh", gain=gain)


def non_finite_loss(program: Program, kind: str) -> Program | None:
    if program.data.reads == "argmax":
        return program.put(loss={
            "log": "p = F.relu(out)\n"
                   "p = p / p.sum(1, keepdim=True)\n"
                   "loss = -torch.log(p[torch.arange(len(p)), yb]).mean()",
            "root": "miss = F.softmax(out, dim=1) - F.one_hot(yb, out.shape[1])\n"
                    "loss = F.cross_entropy(out, yb) "
                    "+ torch.sqrt((miss - miss.detach()).pow(2).sum())",
        }[kind])
    if program.data.reads == "value" and program.base != "autoencoder":
        return program.put(loss={
            "log": "loss = ((torch.log(out + 1) - torch.log(yb + 1)) ** 2).mean()",
            "root": "loss = F.mse_loss(out, yb) + 0.01 * torch.sqrt(F.relu(out - yb)).mean()",
        }[kind])
    return None


def constant_output(program: Program, kind: str) -> Program | None:
    """A normalisation that sees a single number, behind the last layer or before it."""
    if program.data.reads != "value" or program.base == "autoencoder":
        return None
    return program.put(initialise={
        "behind": "model = nn.Sequential(model, nn.LayerNorm(1))",
        "without weights": "model = nn.Sequential(model, nn.LayerNorm(1, elementwise_affine=False),"
                           "\n                      nn.Linear(1, 1))",
    }[kind])


FAULTS = (
    Fault("constant-output", {"weak": "without weights", "strong": "behind"}, constant_output,
          bases=("mlp-regression",), line=r"LayerNorm"),
    Fault("dead-relu", {"weak": -3.0, "strong": -15.0}, dead_relu,
          bases=(*DENSE, "cnn"), accepts=("bad-initialisation",)),
    Fault("vanishing-gradients", {"weak": 6, "strong": 10}, vanishing_gradients, bases=DENSE),
    Fault("exploding-gradients", {"weak": 6.0, "strong": 20.0}, exploding_gradients, bases=DENSE),
    Fault("saturated-activations", {"weak": 30.0, "strong": 200.0}, saturated_activations,
          bases=(*DENSE, "cnn")),
    Fault("non-finite-loss", {"weak": "root", "strong": "log"}, non_finite_loss,
          bases=("mlp", "mlp-regression", "cnn", "gru", "transformer"), line=r"sqrt|log|loss",
          hides=True),
)
