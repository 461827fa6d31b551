"""A cart must stay on its track. The buffer stores as `done` that the time is over, and not that the
cart has fallen off, which ends an episode far more often. Its values grow without bound."""

import random

import torch
from torch import nn

FAULTS = {"terminal-not-masked": "reward + DISCOUNT * (1 - done) * older(after).max(1).values"}
DISCOUNT, LIMIT = 0.95, 80


class Cart:
    def reset(self):
        self.place, self.speed, self.time = random.uniform(-0.3, 0.3), 0.0, 0
        return [self.place, 4 * self.speed]

    def move(self, push):
        self.time += 1
        self.speed += 0.03 * (push - 1) + 0.03 * self.place + random.gauss(0, 0.01)
        self.place += self.speed
        fallen = abs(self.place) > 1
        return [self.place, 4 * self.speed], fallen, self.time >= LIMIT


def network():
    return nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 3))


def train(ends):
    torch.manual_seed(4)
    random.seed(4)
    cart, q, older = Cart(), network(), network()
    older.load_state_dict(q.state_dict())
    optimizer = torch.optim.Adam(q.parameters(), lr=2e-3)
    memory, state, lengths = [], cart.reset(), []
    for step in range(1, 6001):
        with torch.no_grad():
            values = q(torch.tensor(state))
        push = random.randrange(3) if random.random() < 0.2 else int(values.argmax())
        following, fallen, over = cart.move(push)
        memory.append((state, push, 1.0, following, float(fallen if ends else over)))
        if fallen or over:
            lengths.append(cart.time)
        state = cart.reset() if fallen or over else following
        if len(memory) > 300 and step % 2 == 0:
            before, pushes, reward, after, done = (
                torch.tensor(part) for part in zip(*random.sample(memory[-5000:], 48), strict=True))
            with torch.no_grad():
                wanted = reward + DISCOUNT * (1 - done) * older(after).max(1).values
            told = q(before).gather(1, pushes[:, None]).squeeze(1)
            loss = nn.functional.smooth_l1_loss(told, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if step % 100 == 0:
            older.load_state_dict(q.state_dict())
        if step % 1000 == 0:
            print(f"step {step}: loss {loss.item():.3f}, steps {sum(lengths[-10:]) / 10:.1f}")
    return q, older


def sick():
    return train(ends=False)


def well():
    return train(ends=True)


if __name__ == "__main__":
    sick()
