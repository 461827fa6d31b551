"""Q-learning whose target network is copied every 250 updates, with a variable for the end of an episode and
another for its time limit, after which the value counts."""
import torch
from torch import nn
from torch.nn import functional as F

CELLS, GAMMA = 9, 0.9


def see(cell):
    return F.one_hot(cell, CELLS).float()


def main():
    torch.manual_seed(61)
    q = nn.Sequential(nn.Linear(CELLS, 32), nn.ReLU(), nn.Linear(32, 2))
    q_target = nn.Sequential(nn.Linear(CELLS, 32), nn.ReLU(), nn.Linear(32, 2))
    q_target.load_state_dict(q.state_dict())
    optimizer = torch.optim.Adam(q.parameters(), lr=3e-3)
    for update in range(1500):
        cell = torch.randint(CELLS - 1, (48,))
        action = torch.randint(2, (48,))
        after = (cell + 2 * action - 1).clamp(min=0)
        terminated = after == CELLS - 1
        truncated = torch.rand(48) < 0.1
        done = terminated | truncated
        reward = terminated.float() - 0.02
        with torch.no_grad():
            ahead = q_target(see(after)).max(1).values
            goal = reward + GAMMA * ahead * ~terminated
        loss = F.smooth_l1_loss(q(see(cell)).gather(1, action[:, None]).squeeze(1), goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if update % 250 == 249:
            q_target.load_state_dict(q.state_dict())
            print(f"{update + 1}: {loss.item():.5f}, {int(done.sum())} ends in the last batch")
    return q, q_target, optimizer


if __name__ == "__main__":
    main()
