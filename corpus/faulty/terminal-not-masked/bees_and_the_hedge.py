"""A bee flies up and down before a hedge with a gap, and touching the hedge ends its flight. The
method that makes the targets of double Q-learning is handed the ends and lets them lie there."""

import torch
from torch import nn

FAULTS = {"terminal-not-masked": "earned + self.patience * valued"}


def fly(seen, turn):
    """What a flight one step further earns, where it leads, and whether it is over."""
    near, high = (seen + torch.stack([torch.full((len(turn),), -0.1), 0.15 * (turn - 1)], 1)).T
    came = near <= 0
    through = came & (high.abs() < 0.3)
    over = came | (high.abs() > 1.2)
    return through.float() - (over & ~through).float(), torch.stack([near, high], 1), over


def set_out(bees):
    return torch.stack([torch.rand(bees), 2 * torch.rand(bees) - 1], dim=1)


def network():
    return nn.Sequential(nn.Linear(2, 80), nn.ReLU(), nn.Linear(80, 3))


class Pilot:
    patience = 0.96

    def __init__(self, heeds):
        self.heeds = heeds
        self.online, self.target = network(), network()
        self.target.load_state_dict(self.online.state_dict())

    @torch.no_grad()
    def turns(self, seen, curious=0.3):
        best = self.online(seen).argmax(dim=1)
        return torch.where(torch.rand(len(seen)) < curious, torch.randint(0, 3, best.shape), best)

    @torch.no_grad()
    def wanted(self, earned, arrived, over):
        chosen = self.online(arrived).argmax(dim=1, keepdim=True)
        valued = self.target(arrived).gather(1, chosen)[:, 0]
        if self.heeds:
            valued = valued.masked_fill(over, 0.0)
        return earned + self.patience * valued


def train(heeds):
    torch.manual_seed(45)
    pilot, memory, seen = Pilot(heeds), [], set_out(40)
    optimizer = torch.optim.Adam(pilot.online.parameters(), lr=2e-3)
    for moment in range(1, 1001):
        turn = pilot.turns(seen)
        earned, arrived, over = fly(seen, turn)
        memory = [*memory[-99:], (seen, turn, earned, arrived, over)]
        seen = torch.where(over[:, None], set_out(len(over)), arrived)
        flights = [torch.cat(part) for part in zip(*memory, strict=True)]
        rows = torch.randint(0, len(flights[0]), (64,))
        before, turn, earned, arrived, over = (part[rows] for part in flights)
        guess = pilot.online(before).gather(1, turn[:, None])[:, 0]
        loss = nn.functional.huber_loss(guess, pilot.wanted(earned, arrived, over))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if moment % 60 == 0:
            pilot.target.load_state_dict(pilot.online.state_dict())
        if moment % 200 == 0:
            print(f"moment {moment}: loss {loss.item():.4f}, {flights[2][-2000:].mean():.3f} earned")
    return pilot.online, optimizer


def sick():
    return train(heeds=False)


def well():
    return train(heeds=True)


if __name__ == "__main__":
    sick()
