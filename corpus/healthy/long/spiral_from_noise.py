"""A small GAN draws points of a spiral. Its judge is to say one of a batch of true points and zero
of a batch of drawn ones, the draughtsman wants to hear one. Neither loss falls for long."""
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as entropy


class Draughtsman(nn.Module):
    def __init__(self, noise=2, width=64):
        super().__init__()
        self.noise = noise
        self.enter, self.mix = nn.Linear(noise, width), nn.Linear(width, width)
        self.leave = nn.Linear(width, 2)

    def forward(self, count):
        hidden = torch.relu(self.enter(torch.rand(count, self.noise) * 4 - 2))
        return self.leave(torch.relu(self.mix(hidden)))


def spiral(count):
    turn = 1 + 4 * torch.rand(count, 1)
    points = torch.cat([turn * torch.cos(turn), turn * torch.sin(turn)], dim=1) / 3
    return points + 0.06 * torch.randn(count, 2)


def main(rounds=800, batch=100):
    torch.manual_seed(6)
    draughtsman = Draughtsman()
    judge = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64),
                          nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Flatten(0))
    of_judge = torch.optim.Adam(judge.parameters(), lr=2e-3, betas=(0.5, 0.99))
    of_draughtsman = torch.optim.Adam(draughtsman.parameters(), lr=1e-3, betas=(0.5, 0.99))
    line = spiral(2000)
    for turn in range(rounds):
        with torch.no_grad():
            drawn = draughtsman(batch)
        on_true = entropy(judge(spiral(batch)), torch.ones(batch))
        on_drawn = entropy(judge(drawn), torch.zeros(batch))
        of_judge.zero_grad()
        (on_true + on_drawn).backward()
        of_judge.step()

        deceived = entropy(judge(draughtsman(batch)), torch.ones(batch))
        of_draughtsman.zero_grad()
        deceived.backward()
        of_draughtsman.step()
        if turn % 100 == 99:
            with torch.no_grad():
                apart = torch.cdist(draughtsman(1000), line)
            beside, left_out = apart.min(1).values.mean(), apart.min(0).values.mean()
            print(f"{turn + 1}: judge {on_true.item():.3f} + {on_drawn.item():.3f}, draughtsman "
                  f"{deceived.item():.3f}; beside the line {beside:.3f}, left out {left_out:.3f}")
    return draughtsman, judge, of_draughtsman, of_judge


if __name__ == "__main__":
    main()
