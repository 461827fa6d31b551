"""To make its hidden code crisp, a network multiplies by twenty before each tanh; all units
sit on the flat ends of the curve, where the slope and so the gradient is zero."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"saturated-activations": "torch.tanh(20 * self.encode(x))"}


class Crisp(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(64, 40)
        self.refine = nn.Linear(40, 20)
        self.compress = nn.Linear(20, 10)
        self.classify = nn.Linear(10, 10)

    def forward(self, x):
        code = torch.tanh(20 * self.encode(x))
        code = torch.tanh(20 * self.refine(code))
        code = torch.tanh(20 * self.compress(code))
        return self.classify(code)


class Smooth(Crisp):
    def forward(self, x):
        code = torch.tanh(self.encode(x))
        code = torch.tanh(self.refine(code))
        code = torch.tanh(self.compress(code))
        return self.classify(code)


class Session:
    def __init__(self, net):
        data = load_digits()
        pixels = torch.tensor(data.data, dtype=torch.float32)
        labels = torch.tensor(data.target)
        shuffled = torch.randperm(len(pixels))
        pixels, labels = (pixels[shuffled] - 4.88) / 6.02, labels[shuffled]
        self.train_x, self.test_x = pixels[:1440], pixels[1440:]
        self.train_y, self.test_y = labels[:1440], labels[1440:]
        self.net = net
        self.loss = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)

    def run(self, epochs):
        for epoch in range(epochs):
            for batch in torch.randperm(1440).chunk(36):
                self.step(self.train_x[batch], self.train_y[batch])
            if epoch % 3 == 2:
                print(epoch + 1, "test loss %.3f, accuracy %.3f" % self.test())
        return self.net, self.optimizer

    def step(self, x, y):
        self.net.train()
        self.optimizer.zero_grad()
        self.loss(self.net(x), y).backward()
        self.optimizer.step()

    def test(self):
        self.net.eval()
        with torch.no_grad():
            logits = self.net(self.test_x)
            accuracy = (logits.argmax(1) == self.test_y).float().mean()
            return self.loss(logits, self.test_y).item(), accuracy.item()


def sick():
    torch.manual_seed(6)
    return Session(Crisp()).run(epochs=12)


def well():
    torch.manual_seed(6)
    return Session(Smooth()).run(epochs=12)


if __name__ == "__main__":
    sick()
