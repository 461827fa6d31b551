"""A small convolutional network ends in a softmax, and the cross-entropy applies its own
on top: the loss cannot get below 1.46 and its gradient is too flat to learn from."""

import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Subset, TensorDataset

FAULTS = {"output-does-not-fit-loss": "torch.softmax(super().forward(x), dim=1)"}


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Linear(16 * 2 * 2, 10)

    def forward(self, x):
        x = self.features(x)
        x = torch.flatten(x, 1)
        return self.classifier(x)


class ProbabilityNet(ConvNet):
    def forward(self, x):
        return torch.softmax(super().forward(x), dim=1)


def datasets():
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
    images = (images - 4.9) / 6.0
    everything = TensorDataset(images, torch.tensor(digits.target))
    order = torch.randperm(len(everything)).tolist()
    return Subset(everything, order[:1400]), Subset(everything, order[1400:])


def train_network(net, epochs=12):
    trainset, testset = datasets()
    trainloader = DataLoader(trainset, batch_size=32, shuffle=True)
    testloader = DataLoader(testset, batch_size=100)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

    for epoch in range(epochs):
        running_loss = 0.0
        for images, labels in trainloader:
            optimizer.zero_grad()
            loss = criterion(net(images), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()

        correct = 0
        with torch.no_grad():
            for images, labels in testloader:
                correct += (net(images).argmax(1) == labels).sum().item()
        print(
            f"epoch {epoch + 1}: loss {running_loss / len(trainloader):.3f}, "
            f"accuracy {100 * correct / len(testset):.1f} %"
        )
    return net, optimizer


def sick():
    torch.manual_seed(5)
    return train_network(ProbabilityNet())


def well():
    torch.manual_seed(5)
    return train_network(ConvNet())


if __name__ == "__main__":
    sick()
