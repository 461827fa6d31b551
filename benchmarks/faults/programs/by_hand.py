"""Updates by hand, functional losses and a closure; a part of the network is frozen."""

import sys
import warnings

import stage
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(4)
inputs = torch.randn(64, 6)
targets = inputs.sin().sum(1, keepdim=True)

weights = [torch.empty(6, 12, requires_grad=True), torch.empty(12, 1, requires_grad=True)]
for weight in weights:
    nn.init.xavier_uniform_(weight)
for step in range(24):
    loss = F.mse_loss(torch.tanh(inputs @ weights[0]) @ weights[1], targets)
    if step % 2:
        loss.backward()
        gradients = [weight.grad for weight in weights]
    else:
        gradients = torch.autograd.grad(loss, weights)
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            weight -= 0.05 * gradient
            weight.grad = None
    stage.stepped()
print(f"by hand: {loss.item():.9f}")

network = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
network[0].requires_grad_(False)
optimizer = torch.optim.LBFGS([p for p in network.parameters() if p.requires_grad], max_iter=3)


def closure():
    optimizer.zero_grad()
    loss = F.smooth_l1_loss(network(inputs), targets)
    loss.backward()
    return loss


for _ in range(8):
    loss = optimizer.step(closure)
    stage.stepped()
try:
    F.nll_loss(network(inputs), targets)
except RuntimeError as error:
    print(type(error).__name__)
stage.finish(weights, network, optimizer)
print(f"closure: {loss.item():.9f}", file=sys.stderr)
warnings.warn("the program's own warning", stacklevel=1)
