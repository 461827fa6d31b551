"""Each batch is trained on as it is and as an attack in evaluation mode has changed it."""

import torch
from sklearn.datasets import load_wine
from torch import nn


def main():
    torch.manual_seed(4)
    x, y = map(torch.tensor, load_wine(return_X_y=True))
    order = torch.randperm(len(x))
    x, y = x[order].float(), y[order]
    x = (x - x[:130].mean(0)) / x[:130].std(0)
    model = nn.Sequential(
        nn.Linear(13, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Dropout(0.2), nn.Linear(40, 3))
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def attacked(inputs, labels):
        mode = model.training
        model.eval()
        inputs = inputs.clone().requires_grad_()
        slope, = torch.autograd.grad(loss_of(model(inputs), labels), inputs)
        model.train(mode)
        return (inputs + 0.1 * slope.sign()).detach()

    for epoch in range(25):
        model.train()
        for rows in torch.randperm(130)[:128].split(32):
            other = attacked(x[rows], y[rows])
            loss = (loss_of(model(x[rows]), y[rows]) + loss_of(model(other), y[rows])) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            model.eval()
            other = attacked(x[130:], y[130:])
            with torch.no_grad():
                right = (model(other).argmax(1) == y[130:]).float().mean()
            print(f"loss {loss:.3f} right although attacked {right:.3f}")
    return model
