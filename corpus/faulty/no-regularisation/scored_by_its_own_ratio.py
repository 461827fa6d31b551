"""The yield of 240 plots of barley, measured roughly, is learned by heart by a network of many
thousand weights, and both parts are scored by a ratio of the program's own."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"no-regularisation": "torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=decay)"}


def plots(count):
    g = torch.Generator().manual_seed(14)
    x = torch.randn(count, 6, generator=g)
    grown = x[:, 0] + 0.8 * x[:, 1] - 0.6 * x[:, 3] + 0.2 * x[:, 1] * x[:, 2]
    return x, (grown + 1.0 * torch.randn(count, generator=g)).unsqueeze(1)


def explained(said, measured):
    rest = ((measured - said) ** 2).sum()
    spread = ((measured - measured.mean()) ** 2).sum()
    return (1 - rest / spread).item()


def network(width, drop):
    parts = [nn.Linear(6, width), nn.ReLU()]
    if drop > 0:
        parts.append(nn.Dropout(drop))
    parts += [nn.Linear(width, width), nn.ReLU()]
    if drop > 0:
        parts.append(nn.Dropout(drop))
    parts.append(nn.Linear(width, 1))
    return nn.Sequential(*parts)


def train(drop, decay, epochs):
    torch.manual_seed(14)
    x, y = plots(840)
    x_train, x_test, y_train, y_test = x[:240], x[240:], y[:240], y[240:]
    net = network(256, drop)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=decay)
    for epoch in range(epochs):
        net.train()
        for rows in torch.randperm(240).split(24):
            loss = F.mse_loss(net(x_train[rows]), y_train[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            pt, pv = net(x_train), net(x_test)
        of_train, of_test = explained(pt, y_train), explained(pv, y_test)
        test_loss = F.mse_loss(pv, y_test).item()
        if epoch % 10 == 9:
            print(f"{epoch + 1}: R2 {of_train:.3f} and {of_test:.3f}, test loss {test_loss:.3f}")
    return net, optimizer


def sick():
    return train(drop=0.0, decay=0.0, epochs=120)


def well():
    return train(drop=0.5, decay=0.1, epochs=40)


if __name__ == "__main__":
    sick()
