"""Proximal policy optimisation on a small continuous task, all environments at once. The value loss grows
with the returns before it falls; the policy's loss hovers around zero. Returns say that it learns."""
import torch
import torch.nn as nn
from torch.distributions import Normal


class Env:
    """A mass on a line is to be brought to the origin and kept there; 40 steps."""

    def __init__(self, n):
        self.n = n

    def reset(self):
        self.s = torch.stack([torch.rand(self.n) * 4 - 2, torch.zeros(self.n)], 1)
        self.t = 0
        return self.s.clone()

    def step(self, a):
        x, v = self.s[:, 0], self.s[:, 1]
        v = 0.95 * v + 0.2 * a.clamp(-2, 2)
        x = x + 0.2 * v
        self.s = torch.stack([x, v], 1)
        self.t += 1
        return self.s.clone(), 1 - x.abs() - 0.05 * a.pow(2), self.t >= 40


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
        self.actor = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
        self.logstd = nn.Parameter(torch.zeros(1))
        for net, gain in ((self.critic, 1.0), (self.actor, 0.01)):
            for layer in net:
                if isinstance(layer, nn.Linear):
                    nn.init.orthogonal_(layer.weight, 2 ** 0.5)
                    nn.init.zeros_(layer.bias)
            nn.init.orthogonal_(net[-1].weight, gain)

    def get_value(self, s):
        return self.critic(s).squeeze(-1)

    def get_dist(self, s):
        return Normal(self.actor(s).squeeze(-1), self.logstd.exp())


def main():
    torch.manual_seed(3)
    env, agent = Env(16), Agent()
    optimizer = torch.optim.Adam(agent.parameters(), lr=1e-3, eps=1e-5)
    gamma, lam, clip = 0.95, 0.95, 0.2
    for update in range(30):
        S, A, LP, R, V = [], [], [], [], []
        s, done = env.reset(), False
        with torch.no_grad():
            while not done:
                dist = agent.get_dist(s)
                a = dist.sample()
                S.append(s), A.append(a), LP.append(dist.log_prob(a)), V.append(agent.get_value(s))
                s, r, done = env.step(a)
                R.append(r)
            nextvalue, gae, adv = agent.get_value(s), 0.0, []
            for t in reversed(range(len(R))):
                delta = R[t] + gamma * nextvalue - V[t]
                gae = delta + gamma * lam * gae
                adv.insert(0, gae)
                nextvalue = V[t]
        b_s, b_a, b_lp, b_v, b_adv = (torch.stack(q).flatten(0, 1) for q in (S, A, LP, V, adv))
        b_ret = b_adv + b_v
        for _ in range(4):
            for idx in torch.randperm(len(b_s)).split(160):
                dist = agent.get_dist(b_s[idx])
                ratio = (dist.log_prob(b_a[idx]) - b_lp[idx]).exp()
                mb = b_adv[idx]
                mb = (mb - mb.mean()) / (mb.std() + 1e-8)
                pg_loss = torch.max(-mb * ratio, -mb * torch.clamp(ratio, 1 - clip, 1 + clip)).mean()
                v_loss = 0.5 * ((agent.get_value(b_s[idx]) - b_ret[idx]) ** 2).mean()
                loss = pg_loss - 0.001 * dist.entropy().mean() + 0.5 * v_loss
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()
        if update % 6 == 0 or update == 29:
            print(f"update {update} return {torch.stack(R).sum(0).mean().item():.1f} v_loss {v_loss.item():.3f} pg {pg_loss.item():.3f}")
    return agent, optimizer
