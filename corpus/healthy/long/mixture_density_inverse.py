"""A mixture density network for an inverse problem with several answers; its likelihood ends below zero."""
import torch
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, Normal


class MDN(nn.Module):
    def __init__(self, components=5):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh())
        self.pi, self.mu, self.sigma = (nn.Linear(40, components) for _ in range(3))

    def forward(self, x):
        h = self.hidden(x)
        return MixtureSameFamily(Categorical(logits=self.pi(h)), Normal(self.mu(h), nn.functional.softplus(self.sigma(h)) + 1e-3))


def data(n):
    y = torch.rand(n) * 2 - 1
    x = y + 0.6 * torch.sin(2 * torch.pi * y * 0.8) + 0.02 * torch.randn(n)
    return x[:, None], y


def main():
    torch.manual_seed(77)
    x, y = data(2000)
    vx, vy = data(500)
    model = MDN()
    opt = torch.optim.Adam(model.parameters(), lr=4e-3)
    history = {"train": [], "val": []}
    for epoch in range(24):
        running = 0.0
        for idx in torch.randperm(len(x)).split(100):
            nll = -model(x[idx]).log_prob(y[idx]).mean()
            opt.zero_grad()
            nll.backward()
            opt.step()
            running += nll.item() / 20
        with torch.no_grad():
            history["val"].append(-model(vx).log_prob(vy).mean().item())
        history["train"].append(running)
        if epoch % 6 == 5:
            print(epoch + 1, *(f"{k} {v[-1]:.3f}" for k, v in history.items()))
    return model, opt
