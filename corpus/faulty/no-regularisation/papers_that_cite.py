"""Fields of papers that cite each other, of 100 of which the field is known. All papers go through
the network in each pass; it memorises the known ones word by word.
"""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {
    "no-regularisation": "torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=weight_decay)"}
PAPERS, FIELDS, WORDS = 500, 4, 300


class Convolutions(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.first, self.second = nn.Linear(WORDS, 64), nn.Linear(64, FIELDS)
        self.dropout = nn.Dropout(dropout)

    def forward(self, words, links):
        hidden = torch.relu(links @ self.first(self.dropout(words)))
        return links @ self.second(self.dropout(hidden))


def papers():
    torch.manual_seed(21)
    field = torch.randint(FIELDS, (PAPERS,))
    typical = torch.rand(FIELDS, WORDS) < 0.1
    words = (torch.rand(PAPERS, WORDS) < 0.03 + 0.07 * typical[field]).float()
    links = (torch.rand(PAPERS, PAPERS) < torch.where(
        field[:, None] == field, 0.012, 0.003)).float()
    links = ((links + links.T) > 0).float() + torch.eye(PAPERS)
    return words, links / links.sum(1, keepdim=True), field


def train(dropout, weight_decay):
    words, links, field = papers()
    order = torch.randperm(PAPERS)
    known, held = order[:100], order[100:300]
    model = Convolutions(dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=weight_decay)
    for epoch in range(150):
        model.train()
        loss = F.cross_entropy(model(words, links)[known], field[known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % 5 == 4:
            model.eval()
            with torch.no_grad():
                scores = model(words, links)
            told = F.cross_entropy(scores[held], field[held]).item()
            print(epoch, f"{loss.item():.3f} {told:.3f}")
    return model, optimizer


def sick():
    return train(0.0, 0.0)


def well():
    return train(0.6, 3e-3)


if __name__ == "__main__":
    sick()
