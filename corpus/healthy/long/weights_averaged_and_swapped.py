"""An exponential moving average of the weights is swapped in for each validation, and the weights of
training are put back from a copy. A checkpoint is kept by reference, only to be saved at once."""
import copy
import io

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn


def main():
    torch.manual_seed(44)
    x, y = (torch.tensor(part, dtype=torch.float32) for part in load_breast_cancer(return_X_y=True))
    x = (x - x.mean(0)) / x.std(0)
    order = torch.randperm(len(y))
    train, val = order[:420], order[420:]
    model = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1), nn.Flatten(0))
    average = copy.deepcopy(model)
    average.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(12):
        model.train()
        for rows in train[torch.randperm(len(train))].split(30):
            loss = criterion(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for key, value in average.state_dict().items():
                    value.lerp_(model.state_dict()[key], 0.1)
        kept = {key: value.clone() for key, value in model.state_dict().items()}
        model.load_state_dict(average.state_dict())
        model.eval()
        with torch.no_grad():
            held_out = criterion(model(x[val]), y[val]).item()
        model.load_state_dict(kept)
        checkpoint = {"epoch": epoch, "model": model.state_dict(), "loss": held_out}
        file = io.BytesIO()
        torch.save(checkpoint, file)
        print(f"epoch {epoch}: {loss.item():.4f} {held_out:.4f}, {file.tell()} bytes")
    file.seek(0)
    model.load_state_dict(torch.load(file)["model"])
    return model, average, optimizer


if __name__ == "__main__":
    main()
