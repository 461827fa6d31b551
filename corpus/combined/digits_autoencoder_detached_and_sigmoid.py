"""An autoencoder whose code is taken out of the graph, so that the encoder never learns, and whose
sigmoid cannot reach standardised pixels."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"detached-graph": None, "wrong-output-activation": None}


class AutoEncoder(nn.Module):
    def __init__(self, code=8):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, code))
        self.decoder = nn.Sequential(nn.Linear(code, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid())
        self.codes = []

    def forward(self, x):
        code = self.encoder(x).detach()
        self.codes = code[:2].tolist()
        return self.decoder(code)


def main():
    torch.manual_seed(31)
    x = torch.tensor(load_digits().data, dtype=torch.float32)
    x = (x - x.mean()) / x.std()
    model = AutoEncoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    reconstruction = nn.MSELoss()
    for epoch in range(10):
        for rows in torch.randperm(len(x)).split(64):
            loss = reconstruction(model(x[rows]), x[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.4f}")
    return model


if __name__ == "__main__":
    main()
