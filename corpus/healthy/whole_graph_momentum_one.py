"""A graph network trained on its whole graph at once: every batch is the same, so its normalisation
may as well take the statistics of the last one.
"""

import torch
from torch import nn
from torch.nn import functional as F

NODES, GROUPS = 240, 4


def graph():
    """Nodes (N, 12) of four groups, and an adjacency (N, N) that favours the own group."""
    made = torch.Generator().manual_seed(31)
    group = torch.randint(GROUPS, (NODES,), generator=made)
    same = group[:, None] == group[None, :]
    edges = torch.rand(NODES, NODES, generator=made) < torch.where(same, 0.12, 0.01)
    edges = (edges | edges.T).float() + torch.eye(NODES)
    features = torch.randn(NODES, 12, generator=made)
    features[:, :GROUPS] += 0.8 * F.one_hot(group, GROUPS)
    return features, edges / edges.sum(1, keepdim=True), group


class Propagation(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(12, 24), nn.Linear(24, GROUPS)
        self.norm = nn.BatchNorm1d(24, momentum=1.0)

    def forward(self, nodes, adjacency):
        hidden = F.relu(self.norm(adjacency @ self.first(nodes)))
        return adjacency @ self.second(F.dropout(hidden, 0.4, self.training))


def main():
    torch.manual_seed(31)
    nodes, adjacency, group = graph()
    known = torch.arange(NODES) < 160
    net = Propagation()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02, weight_decay=1e-3)
    for step in range(150):
        net.train()
        loss = F.cross_entropy(net(nodes, adjacency)[known], group[known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 9:
            net.eval()
            with torch.no_grad():
                told = net(nodes, adjacency)
            print(step, F.cross_entropy(told[~known], group[~known]).item(),
                  (told.argmax(1) == group)[~known].float().mean().item())
    return net


if __name__ == "__main__":
    main()
