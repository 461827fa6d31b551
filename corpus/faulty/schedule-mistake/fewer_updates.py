"""One cycle of the learning rate, made for as many steps as there are batches. Gradients are gathered over
eight batches and the schedule moves once for all of them: the run ends while the rate still rises."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"schedule-mistake": "cycle.step()"}

EPOCHS, GATHERED = 10, 8


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = [64, 40, 40, 40]
        self.hidden = nn.ModuleList(map(nn.Linear, sizes, sizes[1:]))
        self.last = nn.Linear(40, 10)

    def forward(self, x):
        for layer in self.hidden:
            x = nn.functional.silu(layer(x))
        return self.last(x)


def data():
    images, digits = load_digits(return_X_y=True)
    images = torch.tensor(images / 16, dtype=torch.float32)
    return TensorDataset(images, torch.tensor(digits))


def main(steps_of):
    torch.manual_seed(27)
    batches = DataLoader(data(), batch_size=16, shuffle=True, drop_last=True)
    reader = Reader()
    sgd = torch.optim.SGD(reader.parameters(), lr=0.1, momentum=0.9)
    cycle = OneCycleLR(sgd, max_lr=0.12, total_steps=steps_of(len(batches)))
    score = nn.CrossEntropyLoss()
    for epoch in range(EPOCHS):
        for number, (x, y) in enumerate(batches, start=1):
            loss = score(reader(x), y) / GATHERED
            loss.backward()
            if number % GATHERED == 0:
                sgd.step()
                sgd.zero_grad()
                cycle.step()
        print(f"{epoch}: {loss.item() * GATHERED:.3f} at {cycle.get_last_lr()[0]:.4f}")
    return reader, sgd


def sick():
    return main(lambda batches: EPOCHS * batches)


def well():
    return main(lambda batches: EPOCHS * (batches // GATHERED))


if __name__ == "__main__":
    sick()
