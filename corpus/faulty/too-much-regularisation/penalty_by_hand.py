"""The squares of all weights are added to the loss with a factor that outweighs what the data say."""
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

FAULTS = {
    "too-much-regularisation": "penalty = decay * sum(w.pow(2).sum() for w in net.parameters())",
}


class Regressor(nn.Module):
    def __init__(self, inputs, units=40):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(inputs, units), nn.Linear(units, units)])
        self.end = nn.Linear(units, 1)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.end(x)


def train(decay, epochs=40):
    torch.manual_seed(31)
    x, y = load_diabetes(return_X_y=True)
    x = torch.tensor(scale(x), dtype=torch.float32)
    y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)[:, None]
    net, mean_square = Regressor(x.shape[1]), nn.MSELoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(epochs):
        total = []
        for rows in torch.randperm(len(x)).split(34):
            error = mean_square(net(x[rows]), y[rows])
            penalty = decay * sum(w.pow(2).sum() for w in net.parameters())
            optimizer.zero_grad()
            (error + penalty).backward()
            optimizer.step()
            total.append(error.item())
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: {np.mean(total):.3f}")
    return net


def sick():
    return train(decay=0.3)


def well():
    return train(decay=1e-4)


if __name__ == "__main__":
    sick()
