"""REINFORCE on a contextual bandit with a learned baseline. The policy loss is a surrogate that hovers around zero
and does not fall while the mean reward climbs; the actions are sampled, so no gradient flows through them."""
import torch
import torch.nn as nn
from torch.distributions import Categorical

N_ARMS, N_FEATURES = 5, 8


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(N_FEATURES, 32), nn.Tanh())
        self.action_head = nn.Linear(32, N_ARMS)
        self.value_head = nn.Linear(32, 1)

    def forward(self, context):
        h = self.body(context)
        return Categorical(logits=self.action_head(h)), self.value_head(h).squeeze(-1)


class Bandit:
    def __init__(self):
        self.w = torch.randn(N_FEATURES, N_ARMS)

    def contexts(self, n):
        return torch.randn(n, N_FEATURES)

    def pull(self, context, action):
        best = (context @ self.w).argmax(dim=1)
        return (action == best).float() + 0.1 * torch.randn(len(action))


def main():
    torch.manual_seed(9)
    env, policy = Bandit(), Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    history = []
    for episode in range(900):
        context = env.contexts(64)
        dist, value = policy(context)
        action = dist.sample()
        reward = env.pull(context, action)
        advantage = reward - value.detach()
        policy_loss = -(dist.log_prob(action) * advantage).mean()
        value_loss = nn.functional.mse_loss(value, reward)
        loss = policy_loss + 0.5 * value_loss - 0.01 * dist.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(reward.mean().item())
        if episode % 150 == 149:
            print(f"episode {episode + 1}: loss {loss.item():+.4f} mean reward {sum(history[-50:]) / 50:.3f}")

    with torch.no_grad():
        context = env.contexts(2000)
        greedy = policy(context)[0].probs.argmax(1)
        print("greedy policy picks the best arm:", (greedy == (context @ env.w).argmax(1)).float().mean().item())
    return policy, optimizer


if __name__ == "__main__":
    main()
