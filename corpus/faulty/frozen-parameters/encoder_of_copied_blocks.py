"""Whether the first of a series of signs ranks above the last: the encoder is frozen as a trained one
would be, but nothing has trained it. Its blocks are copies of one.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"frozen-parameters": "weight.requires_grad = False"}
SIGNS, STEPS = 12, 6


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.signs = nn.Embedding(SIGNS, 24)
        self.places = nn.Parameter(0.1 * torch.randn(STEPS, 24))
        block = nn.TransformerEncoderLayer(24, 2, 48, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.answer = nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 2))

    def forward(self, series):
        return self.answer(self.encoder(self.signs(series) + self.places).mean(1))


def series(count):
    signs = torch.randint(SIGNS, (count, STEPS))
    signs = signs[signs[:, 0] != signs[:, -1]]
    return TensorDataset(signs, (signs[:, 0] > signs[:, -1]).long())


def train(freeze, epochs=12):
    torch.manual_seed(3)
    learned, checked = DataLoader(series(2500), 64, shuffle=True), DataLoader(series(500), 250)
    model = Reader()
    if freeze:
        for weight in (model.signs.weight, model.places, *model.encoder.parameters()):
            weight.requires_grad = False
    optimizer = torch.optim.Adam((w for w in model.parameters() if w.requires_grad), lr=2e-3)
    for epoch in range(epochs):
        model.train()
        for batch, above in learned:
            loss = nn.functional.cross_entropy(model(batch), above)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            right = sum((model(batch).argmax(1) == above).float().mean().item()
                        for batch, above in checked) / len(checked)
        print(f"{epoch} {loss.item():.3f} {right:.3f}")
    return model, optimizer


def sick():
    return train(freeze=True)


def well():
    return train(freeze=False)


if __name__ == "__main__":
    sick()
