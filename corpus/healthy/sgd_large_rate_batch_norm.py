"""Plain SGD at learning rate 1.0: far above any rule of thumb, but batch norm makes the layers scale-free and
the net trains smoothly with it."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


def net():
    layers = []
    for a, b in [(64, 96), (96, 96)]:
        layers += [nn.Linear(a, b, bias=False), nn.BatchNorm1d(b), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(96, 10))


def main():
    torch.manual_seed(6)
    data, target = load_digits(return_X_y=True)
    data = torch.tensor(data, dtype=torch.float32) / 16
    target = torch.tensor(target)
    p = torch.randperm(len(data))
    train, test = p[:1472], p[1472:]
    mean = data[train].mean()
    std = data[train].std()
    data = (data - mean) / std

    model = net()
    LR = 1.0
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, weight_decay=1e-4)
    for epoch in range(25):
        model.train()
        order = train[torch.randperm(len(train))]
        total = 0.0
        for k in range(0, len(order), 64):
            b = order[k:k + 64]
            optimizer.zero_grad()
            loss = F.cross_entropy(model(data[b]), target[b])
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        if epoch % 4 == 0:
            with torch.no_grad():
                logits = model(data[test])
            print(epoch, round(total / 23, 4), round(F.cross_entropy(logits, target[test]).item(), 4),
                  (logits.argmax(1) == target[test]).float().mean().item())
    return model, optimizer


if __name__ == "__main__":
    main()
