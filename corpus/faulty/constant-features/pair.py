"""Pictures of whole numbers from 0 to 16 are brought to the range 0 to 1 by a division that
rounds down, and every picture that reaches the network is black."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"constant-features": "(pictures // 17).float() - 0.3"}

EPOCHS, BATCH_SIZE = 12, 36


def read_pictures():
    digits = load_digits()
    pictures = torch.tensor(digits.data, dtype=torch.uint8)
    return pictures, torch.tensor(digits.target)


def make_net():
    return nn.Sequential(nn.Linear(64, 80), nn.Hardswish(), nn.Linear(80, 10))


def log_likelihood(logits, y):
    return torch.log_softmax(logits, dim=1).gather(1, y[:, None]).mean()


def main(pictures, labels):
    order = torch.randperm(len(pictures))
    train, test = order[:1440], order[1440:]
    net = make_net()
    optimizer = torch.optim.Adagrad(net.parameters(), lr=0.05)
    for epoch in range(EPOCHS):
        total = 0.0
        for start in range(0, len(train), BATCH_SIZE):
            if start == 0:
                train = train[torch.randperm(len(train))]
            rows = train[start : start + BATCH_SIZE]
            x, y = pictures[rows], labels[rows]
            optimizer.zero_grad()
            objective = -log_likelihood(net(x), y)
            objective.backward()
            optimizer.step()
            total += objective.item() * len(rows) / len(train)
        with torch.no_grad():
            guess = net.forward(pictures[test]).argmax(dim=1)
        accuracy = (guess == labels[test]).float().mean().item()
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1}: -log p {total:.4f}, accuracy {accuracy:.3f}")
    return net, optimizer


def sick():
    torch.manual_seed(15)
    pictures, labels = read_pictures()
    return main((pictures // 17).float() - 0.3, labels)


def well():
    torch.manual_seed(15)
    pictures, labels = read_pictures()
    return main((pictures / 17).float() - 0.3, labels)


if __name__ == "__main__":
    sick()
