"""Three at once: raw features, a sigmoid before a loss that applies one, and a first block whose
parameters no optimizer holds."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

FAULTS = {
    "inputs-not-normalised": None,
    "output-does-not-fit-loss": None,
    "parameters-not-in-optimizer": None,
}


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        return nn.functional.relu(self.linear(x))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = Block(30, 32)
        self.classifier = nn.Sequential(Block(32, 16), nn.Linear(16, 1), nn.Sigmoid())

    def forward(self, x):
        return self.classifier(self.features(x)).squeeze(-1)


def main():
    torch.manual_seed(0)
    x, y = load_breast_cancer(return_X_y=True)
    data = TensorDataset(torch.tensor(x).float(), torch.tensor(y).float())
    train_set, test_set = random_split(data, [0.8, 0.2])
    model = Classifier()
    optimizer = torch.optim.Adam(model.classifier.parameters(), lr=1e-2)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(15):
        model.train()
        for xb, yb in DataLoader(train_set, batch_size=32, shuffle=True):
            model.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            xb, yb = next(iter(DataLoader(test_set, batch_size=len(test_set))))
            accuracy = ((model(xb) > 0.5) == (yb > 0.5)).float().mean().item()
        print(f"epoch {epoch}: loss {loss.item():.3f} accuracy {accuracy:.3f}")
    return model


if __name__ == "__main__":
    main()
