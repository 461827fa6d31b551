"""A policy imitates an expert with an entropy bonus; in a rare position a move is
forbidden, its probability is exactly zero, and zero times the log of zero is NaN."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"non-finite-loss": "torch.log(p)"}

MOVES = 6
ENTROPY_BONUS = 0.01


def play(positions, generator):
    board = torch.randn(positions, 10, generator=generator)
    weights = torch.randn(10, MOVES, generator=generator)
    value = board @ weights + 0.2 * torch.randn(positions, MOVES, generator=generator)
    legal = torch.ones(positions, MOVES, dtype=torch.bool)
    for position in range(300, positions, 800):
        legal[position, position % MOVES] = False
    expert = value.masked_fill(~legal, -1e9).argmax(dim=1)
    return board, legal, expert


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(10, 48)
        self.norm = nn.LayerNorm(48)
        self.moves = nn.Linear(48, MOVES)

    def forward(self, board, legal):
        scores = self.moves(F.gelu(self.norm(self.trunk(board))))
        return scores.masked_fill(~legal, -1e9)


def imitation_loss(scores, expert):
    p = torch.softmax(scores, dim=1)
    entropy = -(p * torch.log(p)).sum(dim=1).mean()
    return F.cross_entropy(scores, expert) - ENTROPY_BONUS * entropy


def safe_imitation_loss(scores, expert):
    p = torch.softmax(scores, dim=1)
    entropy = -(p * torch.log(p.clamp_min(1e-8))).sum(dim=1).mean()
    return F.cross_entropy(scores, expert) - ENTROPY_BONUS * entropy


def imitate(objective):
    generator = torch.Generator().manual_seed(99)
    board, legal, expert = play(3000, generator)
    policy = Policy()
    adam = torch.optim.Adam(policy.parameters(), lr=2e-3, weight_decay=1e-4)
    for epoch in range(10):
        for rows in torch.randperm(2400).view(-1, 60):
            scores = policy(board[rows], legal[rows])
            loss = objective(scores, expert[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
        with torch.no_grad():
            scores = policy(board[2400:], legal[2400:])
            agreement = (scores.argmax(dim=1) == expert[2400:]).float().mean()
        print(f"epoch {epoch}: loss {loss:.4f}, expert's move {agreement:.1%}")
    return policy, adam


def sick():
    torch.manual_seed(2)
    return imitate(imitation_loss)


def well():
    torch.manual_seed(2)
    return imitate(safe_imitation_loss)


if __name__ == "__main__":
    sick()
