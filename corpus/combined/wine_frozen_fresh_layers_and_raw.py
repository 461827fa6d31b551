"""A loop meant for a pretrained backbone freezes a fresh one, and the wines' raw measurements go in
as they are."""

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"frozen-parameters": None, "inputs-not-normalised": None}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU()
        )
        self.head = nn.Linear(32, 3)
        for parameter in self.backbone.parameters():
            parameter.requires_grad = False

    def forward(self, x):
        return self.head(self.backbone(x))


def main():
    torch.manual_seed(30)
    x, y = load_wine(return_X_y=True)
    data = TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(y))
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(25):
        hits = 0
        for xb, yb in DataLoader(data, batch_size=16, shuffle=True):
            logits = model(xb)
            loss = nn.functional.cross_entropy(logits, yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            hits += (logits.argmax(1) == yb).sum().item()
        if epoch % 5 == 0:
            print(f"epoch {epoch}: accuracy {hits / len(data):.3f}")
    return model


if __name__ == "__main__":
    main()
