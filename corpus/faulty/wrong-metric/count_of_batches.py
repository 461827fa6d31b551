"""The accuracy divides the number of right answers by the length of the loader, which counts batches."""
from types import SimpleNamespace

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"wrong-metric": "correct / total"}
config = SimpleNamespace(batch=32, epochs=12, lr=0.02, hidden=24)


def loaders():
    x, y = load_breast_cancer(return_X_y=True)
    parts = train_test_split(x, y, test_size=0.3, random_state=5, stratify=y)
    scaler = StandardScaler().fit(parts[0])
    sets = [TensorDataset(torch.tensor(scaler.transform(a), dtype=torch.float32), torch.tensor(b))
            for a, b in ((parts[0], parts[2]), (parts[1], parts[3]))]
    return (DataLoader(sets[0], config.batch, shuffle=True), DataLoader(sets[1], config.batch))


def evaluate(model, loader, total):
    model.eval()
    correct = 0
    with torch.no_grad():
        for inputs, labels in loader:
            correct += (model(inputs).argmax(dim=1) == labels).sum().item()
    accuracy = correct / total
    return accuracy


def main(per_sample):
    torch.manual_seed(8)
    train, test = loaders()
    model = nn.Sequential(
        nn.Linear(30, config.hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(config.hidden, 2))
    optimizer = optim.SGD(model.parameters(), lr=config.lr, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(config.epochs):
        model.train()
        for inputs, labels in train:
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()
        score = evaluate(model, test, len(test.dataset) if per_sample else len(test))
        print(f"epoch {epoch} accuracy {score:.3f}")
    return model, optimizer


def sick():
    return main(per_sample=False)


def well():
    return main(per_sample=True)


if __name__ == "__main__":
    sick()
