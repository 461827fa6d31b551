"""The network ends in a softmax, and CTC takes its probabilities for their logarithms."""

import torch
from torch import nn

FAULTS = {"output-does-not-fit-loss": "criterion(frames.transpose(0, 1), targets, lengths, sizes)"}
STEPS, SYMBOLS = 24, 5


def lines(number, generator):
    """Strokes of a few frames each, one for each symbol of a line."""
    shapes = torch.eye(8)[:SYMBOLS] + 0.5 * torch.eye(8)[1:SYMBOLS + 1]
    targets = torch.randint(1, SYMBOLS + 1, (number, 4), generator=generator)
    frames = torch.zeros(number, STEPS, 8)
    for place in range(4):
        start = 6 * place + torch.randint(0, 3, (number,), generator=generator)
        for step in range(3):
            frames[torch.arange(number), start + step] = shapes[targets[:, place] - 1]
    return frames + 0.1 * torch.randn(frames.shape, generator=generator), targets


class Reader(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.seen = nn.Conv1d(8, 32, 3, padding=1)
        self.memory = nn.GRU(32, 32, batch_first=True, bidirectional=True)
        self.told = nn.Linear(64, SYMBOLS + 1)
        self.end = end

    def forward(self, x):
        x = torch.relu(self.seen(x.transpose(1, 2))).transpose(1, 2)
        return self.end(self.told(self.memory(x)[0]))


def train(end):
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(1)
    x, y = lines(800, generator)
    model = Reader(end)
    criterion = nn.CTCLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    lengths, sizes = torch.full((40,), STEPS), torch.full((40,), 4)
    for epoch in range(10):
        for rows in torch.randperm(len(x), generator=generator).split(40):
            frames, targets = model(x[rows]), y[rows]
            loss = criterion(frames.transpose(0, 1), targets, lengths, sizes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(nn.Softmax(dim=-1))


def well():
    return train(nn.LogSoftmax(dim=-1))


if __name__ == "__main__":
    sick()
