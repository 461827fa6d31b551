"""How far each runner of a heat comes in behind the first of it. The attention takes the heats of
a batch for the places of one sequence, so nobody looks at those who run beside him."""

import torch
from torch import nn

FAULTS = {"batch-leak": "self.attention(h, h, h, need_weights=False)"}


class Heats(nn.Module):
    def __init__(self, batch_first):
        super().__init__()
        self.enter = nn.Linear(2, 24)
        if batch_first:
            self.attention = nn.MultiheadAttention(24, 2, batch_first=True)
        else:
            self.attention = nn.MultiheadAttention(24, 2)
        self.leave = nn.Sequential(nn.LayerNorm(24), nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, runners):
        h = self.enter(runners)
        beside, _ = self.attention(h, h, h, need_weights=False)
        return self.leave(h + beside).squeeze(2)


def run(heats):
    pace, head_wind = torch.randn(heats, 7), torch.rand(heats, 1).expand(heats, 7)
    time = 10 + pace + head_wind
    behind = time - time.min(1, keepdim=True).values
    return torch.stack([pace, 2 * head_wind - 1], 2), (behind - behind.mean()) / behind.std()


def train(batch_first):
    torch.manual_seed(30)
    x, behind = run(1500)
    model = Heats(batch_first)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(20):
        order = torch.randperm(1200)
        for start in range(0, 1200, 48):
            rows = order[start : start + 48]
            loss = nn.functional.mse_loss(model(x[rows]), behind[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            rest = nn.functional.mse_loss(model(x[1200:]), behind[1200:])
        print(f"epoch {epoch}: {loss:.3f}, held out {rest:.3f}")
    return model, optimizer


def sick():
    return train(batch_first=False)


def well():
    return train(batch_first=True)


if __name__ == "__main__":
    sick()
