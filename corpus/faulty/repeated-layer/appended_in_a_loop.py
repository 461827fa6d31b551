"""The hidden layer is made before the loop that appends it."""
import torch
from sklearn.datasets import make_friedman1
from torch import nn

FAULTS = {"repeated-layer": "layers.append(hidden)"}


def network(each):
    hidden = nn.Linear(40, 40)
    layers = [nn.Linear(10, 40), nn.SiLU()]
    for _ in range(4):
        if each:
            layers.append(nn.Linear(40, 40))
        else:
            layers.append(hidden)
        layers.append(nn.SiLU())
    layers.append(nn.Linear(40, 1))
    return nn.Sequential(*layers)


def train(model):
    inputs, targets = make_friedman1(900, noise=0.2, random_state=4)
    x = torch.as_tensor(inputs, dtype=torch.float32) * 2 - 1
    y = torch.as_tensor(targets, dtype=torch.float32)
    y = ((y - y.mean()) / y.std())[:, None]
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    criterion = nn.MSELoss()
    for epoch in range(12):
        for part in torch.randperm(700).split(35):
            loss = criterion(model(x[part]), y[part])
            optimizer.zero_grad(), loss.backward(), optimizer.step()
        with torch.no_grad():
            print(f"{epoch:2d} {loss.item():.4f} {criterion(model(x[700:]), y[700:]).item():.4f}")
    return model, optimizer


def sick():
    torch.manual_seed(12)
    return train(network(each=False))


def well():
    torch.manual_seed(12)
    return train(network(each=True))


if __name__ == "__main__":
    sick()
