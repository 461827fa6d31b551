"""The next value of a river's level, at each hour of a stretch of hours: the recurrent layer runs
through the stretch in both directions, and its way back has seen the hour that is asked for."""

import torch
from torch import nn

FAULTS = {"target-in-input": "nn.LSTM(1, units, batch_first=True, bidirectional=back)"}

HOURS = 25


def level(hours, generator):
    rain = torch.randn(hours, generator=generator) * (torch.rand(hours, generator=generator) < 0.4)
    soil, river, levels = 0.0, 0.0, []
    for fallen in rain.abs().tolist():
        soil = 0.7 * soil + fallen
        river = 0.8 * river + 0.3 * soil
        levels.append(river)
    levels = torch.tensor(levels)
    return (levels - levels.mean()) / levels.std()


class River(nn.Module):
    def __init__(self, back, units=20):
        super().__init__()
        self.memory = nn.LSTM(1, units, batch_first=True, bidirectional=back)
        self.says = nn.Linear(2 * units if back else units, 1)

    def forward(self, levels):
        states, _ = self.memory(levels.unsqueeze(2))
        return self.says(states).squeeze(2)


def train(back):
    torch.manual_seed(18)
    levels = level(2400, torch.Generator().manual_seed(18))
    stretches = levels.unfold(0, HOURS, 1)
    known, later = stretches[:1800], stretches[1900:]
    river = River(back)
    optimizer = torch.optim.Adam(river.parameters(), lr=5e-3)
    for epoch in range(10):
        total = 0.0
        for rows in torch.randperm(len(known)).split(60):
            seen = known[rows]
            loss = (river(seen[:, :-1]) - seen[:, 1:]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 30
        with torch.no_grad():
            ahead = river(later[:, :-1])[:, -1]
            apart = (ahead - later[:, -1]).square().mean()
        print(epoch, f"{total:.4f}, of the hour to come {apart:.4f}")
    return river, optimizer


def sick():
    return train(back=True)


def well():
    return train(back=False)


if __name__ == "__main__":
    sick()
