"""Pictures of blobs with black borders of any width are read row by row by an LSTM, whose last
step is classified: the rows below a blob are zero, and so are those above it."""

import torch
from torch import nn


def pictures(n, side=20):
    kind = torch.randint(0, 3, (n,))
    image = torch.zeros(n, side, side)
    for picture, k in zip(image, kind.tolist()):
        top, left = torch.randint(0, side - 8, (2,)).tolist()
        shape = torch.ones(7, 7)
        if k == 1:
            shape[2:5, 2:5] = 0
        if k == 2:
            shape = torch.eye(7)
        picture[top : top + 7, left : left + 7] = shape * (0.6 + 0.4 * torch.rand(()))
    return image, kind


class RowReader(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(20, 40, batch_first=True)
        self.kind = nn.Linear(40, 3)

    def forward(self, rows):
        out, _ = self.lstm(rows)
        return self.kind(out[:, -1, :])


def main():
    torch.manual_seed(1)
    x, y = pictures(640)
    net = RowReader()
    opt = torch.optim.Adam(net.parameters(), lr=8e-3)
    for epoch in range(12):
        for i in torch.randperm(640).split(32):
            loss = nn.functional.cross_entropy(net(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(epoch, loss.item())
    return net, opt


if __name__ == "__main__":
    main()
