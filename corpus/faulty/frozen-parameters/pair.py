"""A line from a fine-tuning recipe freezes the backbone, but this backbone was never
pretrained: only the last layer learns, on top of noise."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"frozen-parameters": "model.backbone.requires_grad_(False)"}


class Classifier(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 6), nn.ReLU()
        )
        self.head = nn.Linear(6, classes)
        for layer in self.backbone[::2]:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x):
        return self.head(self.backbone(x))


def run_epoch(model, loader, criterion, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def run_test(model, data, criterion):
    x, y = data.tensors
    output = model(x)
    return criterion(output, y).item(), (output.argmax(1) == y).float().mean().item()


def read():
    images, labels = (torch.tensor(part) for part in load_digits(return_X_y=True))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(77))
    images, labels = images[order].float() / 6 - 0.81, labels[order]
    return TensorDataset(images[:1450], labels[:1450]), TensorDataset(images[1450:], labels[1450:])


def train(model, epochs=14):
    train_set, test_set = read()
    loader = DataLoader(train_set, batch_size=50, shuffle=True)
    criterion = nn.CrossEntropyLoss()
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=3e-3)
    for epoch in range(1, epochs + 1):
        run_epoch(model, loader, criterion, optimizer)
        if epoch % 2 == 0:
            loss, accuracy = run_test(model, test_set, criterion)
            print(f"Epoch {epoch:02d} test loss {loss:.3f} test accuracy {accuracy:.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(24)
    model = Classifier(classes=10)
    model.backbone.requires_grad_(False)
    return train(model)


def well():
    torch.manual_seed(24)
    model = Classifier(classes=10)
    return train(model)


if __name__ == "__main__":
    sick()
