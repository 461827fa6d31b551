"""An optimizer of the program's own adds the sign of the gradient to the weights: every step makes the
error larger."""

import torch
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"loss-sign": 'weight.add_(moving, alpha=self.sign * group["rate"])'}


class Signs(torch.optim.Optimizer):
    def __init__(self, parameters, rate, sign, kept=0.9):
        super().__init__(parameters, {"rate": rate, "kept": kept})
        self.sign = sign

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if "mean" not in state:
                    state["mean"] = torch.zeros_like(weight)
                mean = state["mean"]
                mean.lerp_(weight.grad, 1 - group["kept"])
                moving = mean.sign()
                weight.add_(moving, alpha=self.sign * group["rate"])


def train(sign):
    torch.manual_seed(3)
    x, y = load_wine(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    y = torch.tensor(y)
    model = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = Signs(model.parameters(), rate=5e-4, sign=sign)
    for epoch in range(30):
        for rows in torch.randperm(len(x)).split(16):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(sign=1)


def well():
    return train(sign=-1)


if __name__ == "__main__":
    sick()
