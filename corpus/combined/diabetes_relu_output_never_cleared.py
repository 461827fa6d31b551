"""Standardised targets, half of them negative, behind an output that ReLU keeps above zero; and
gradients that add up from step to step."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

FAULTS = {"wrong-output-activation": None, "gradients-not-zeroed": None}


class Regressor(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
            nn.ReLU(),
        )

    def forward(self, x):
        return self.body(x)[:, 0]


def main():
    torch.manual_seed(4)
    x, y = load_diabetes(return_X_y=True)
    x = torch.as_tensor(x, dtype=torch.float32)
    x = (x - x.mean(dim=0)) / x.std(dim=0)
    y = torch.as_tensor(y, dtype=torch.float32)
    y = (y - y.mean()) / y.std()
    model = Regressor(x.shape[1], 64)
    loss_function = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=5e-3)
    for step in range(500):
        picked = torch.randint(len(x), (48,))
        prediction = model(x[picked])
        loss = loss_function(prediction, y[picked])
        loss.backward()
        optimizer.step()
        if step % 100 == 99:
            print(f"step {step + 1}: {loss.item():.3f}")
    return model


if __name__ == "__main__":
    main()
