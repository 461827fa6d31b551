"""A network that reads a stream keeps its hidden state on itself. The next step goes on from it with
the graph of the step before, which has been freed."""

import torch
from torch import nn

FAULTS = {"retained-graph": "self.rnn(piece, self.state)"}

LANES, PIECE, PIECES = 16, 12, 60


class Reader(nn.Module):
    def __init__(self, forget):
        super().__init__()
        self.rnn = nn.LSTM(2, 20, batch_first=True)
        self.tell = nn.Linear(20, 1)
        self.state = None
        self.forget = forget

    def forward(self, piece):
        if self.forget and self.state is not None:
            self.state = [part.detach() for part in self.state]
        seen, self.state = self.rnn(piece, self.state)
        return self.tell(seen)


class Trainer:
    def __init__(self, forget):
        self.reader = Reader(forget)
        self.optimizer = torch.optim.Adam(self.reader.parameters(), lr=0.01)

    def step(self, piece, target):
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.reader(piece), target)
        loss.backward()
        self.optimizer.step()
        return loss.item()


def train(forget):
    torch.manual_seed(12)
    stream = torch.randn(LANES, PIECE * PIECES, 2)
    target = torch.tanh(stream.sum(2, keepdim=True) + 0.5 * stream[..., :1].roll(1, 1))
    trainer = Trainer(forget)
    for epoch in range(4):
        for begin in range(0, PIECE * PIECES, PIECE):
            loss = trainer.step(stream[:, begin:begin + PIECE], target[:, begin:begin + PIECE])
        print(f"epoch {epoch + 1}: {loss:.4f}")
    return trainer.reader


def sick():
    return train(forget=False)


def well():
    return train(forget=True)


if __name__ == "__main__":
    sick()
