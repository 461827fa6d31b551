"""Every weight starts at the same number, so that all units of a layer stay copies of one, and the
gradients are never cleared."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"bad-initialisation": None, "gradients-not-zeroed": None}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(64, 64)
        self.two = nn.Linear(64, 32)
        self.three = nn.Linear(32, 10)
        for parameter in self.parameters():
            parameter.data.fill_(0.01)

    def forward(self, x):
        return self.three(torch.tanh(self.two(torch.tanh(self.one(x)))))


def main():
    torch.manual_seed(35)
    x, y = load_digits(return_X_y=True)
    x = torch.tensor(x, dtype=torch.float32)
    x, y = (x - x.mean()) / x.std(), torch.tensor(y)
    net = Net()
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for epoch in range(12):
        hits = 0
        for rows in torch.randperm(len(x)).split(64):
            logits = net(x[rows])
            loss = loss_function(logits, y[rows])
            loss.backward()
            optimizer.step()
            hits += (logits.argmax(1) == y[rows]).sum().item()
        print(f"epoch {epoch}: accuracy {hits / len(x):.3f}")
    return net


if __name__ == "__main__":
    main()
