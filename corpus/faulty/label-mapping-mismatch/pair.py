"""Names of instruments become numbers: in each set by the order in which they come."""

import torch
from torch import nn

FAULTS = {"label-mapping-mismatch": "torch.tensor([number_of[name] for name in val_names])"}
NAMES = ("violin", "flute", "oboe", "horn", "harp", "cello")


def recordings(count, generator):
    kinds = torch.randint(len(NAMES), (count,), generator=generator)
    sounds = torch.randn(count, 16, generator=generator)
    sounds[torch.arange(count), kinds] += 3.5
    return sounds, [NAMES[kind] for kind in kinds]


def numbering(names):
    return {name: i for i, name in enumerate(dict.fromkeys(names))}


def main(same):
    torch.manual_seed(5)
    generator = torch.Generator().manual_seed(5)
    x, names = recordings(600, generator)
    x_val, val_names = recordings(240, generator)
    number_of = numbering(names)
    y = torch.tensor([number_of[name] for name in names])
    number_of = number_of if same else numbering(val_names)
    y_val = torch.tensor([number_of[name] for name in val_names])
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(8):
        for rows in torch.randperm(600).split(30):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            out = model(x_val)
        right = (out.argmax(1) == y_val).float().mean()
        print(epoch, f"{loss:.3f} {nn.functional.cross_entropy(out, y_val):.3f} {right:.3f}")
    return model, optimizer


def sick():
    return main(same=False)


def well():
    return main(same=True)


if __name__ == "__main__":
    sick()
