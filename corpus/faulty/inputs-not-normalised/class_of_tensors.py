"""House prices from raw measurements, by a class of plain tensors and a mean of squares."""

import torch

FAULTS = {"inputs-not-normalised": "net(x[rows])"}


class Net:
    def __init__(self, n):
        self.w1 = (torch.randn(n, 32) * (2 / n) ** 0.5).requires_grad_()
        self.b1 = torch.zeros(32, requires_grad=True)
        self.w2 = (torch.randn(32, 1) * (1 / 32) ** 0.5).requires_grad_()
        self.b2 = torch.zeros(1, requires_grad=True)

    def parameters(self):
        return [self.w1, self.b1, self.w2, self.b2]

    def __call__(self, x):
        return torch.relu(x @ self.w1 + self.b1) @ self.w2 + self.b2


def data():
    torch.manual_seed(5)
    n = 1000
    area = 400 + 2600 * torch.rand(n)
    rooms = torch.randint(1, 7, (n,)).float()
    year = 1900 + 120 * torch.rand(n)
    lot = 5000 * torch.rand(n)
    price = 0.8 * (area - 1700) / 750 + 0.3 * (rooms - 3.5) + 0.5 * torch.sin(year / 15)
    price += 0.3 * lot / 2500
    y = (price - price.mean()) / price.std()
    return torch.stack([area, rooms, year, lot], 1), y[:, None]


def train(normalise):
    x, y = data()
    if normalise:
        x = (x - x.mean(0)) / x.std(0)
    net = Net(4)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(20):
        for rows in torch.randperm(len(x)).split(32):
            loss = ((net(x[rows]) - y[rows]) ** 2).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(epoch, loss.item())
    return net.parameters()


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
