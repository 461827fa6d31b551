"""Which of four tunes is played: the weights of a GRU are drawn anew by a habit of the laboratory,
all of them between zero and one."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"bad-initialisation": "nn.init.uniform_(weights)"}


def tunes(count):
    which = torch.randint(4, (count,))
    time = torch.linspace(0, 6.3, 50)
    pitch = 1 + which[:, None] * 0.7
    phase = 6.3 * torch.rand(count, 1)
    wave = torch.stack([torch.sin(pitch * time + phase), torch.cos(pitch * time + phase)], 2)
    return wave + 0.3 * torch.randn(count, 50, 2), which


class Listener(nn.Module):
    def __init__(self, redraw):
        super().__init__()
        self.memory = nn.GRU(2, 48, num_layers=2, batch_first=True)
        self.answer = nn.Linear(48, 4)
        for name, weights in self.memory.named_parameters() if redraw else ():
            if name.startswith("weight"):
                nn.init.uniform_(weights)

    def forward(self, wave):
        return self.answer(self.memory(wave)[0][:, -1])


def train(redraw):
    torch.manual_seed(12)
    waves, which = tunes(800)
    listener = Listener(redraw)
    optimizer = torch.optim.Adam(listener.parameters(), lr=4e-3)
    for epoch in range(22):
        for rows in torch.randperm(len(waves)).split(40):
            loss = F.cross_entropy(listener(waves[rows]), which[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return listener


def sick():
    return train(True)


def well():
    return train(False)


if __name__ == "__main__":
    sick()
