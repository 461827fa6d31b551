"""Fields of papers that cite each other: all papers go through the network in each pass, the loss
reads those whose field is known, and the others are judged while dropout is still active.
"""

import torch
from torch import nn

FAULTS = {"validation-in-train-mode": "model(words, links)"}
PAPERS, FIELDS, WORDS = 600, 5, 120


class Convolutions(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.first, self.second = nn.Linear(WORDS, 24), nn.Linear(24, FIELDS)
        self.dropout = nn.Dropout(dropout)

    def forward(self, words, links):
        hidden = torch.relu(links @ self.first(self.dropout(words)))
        return links @ self.second(self.dropout(hidden))


def papers():
    torch.manual_seed(8)
    field = torch.randint(FIELDS, (PAPERS,))
    typical = torch.rand(FIELDS, WORDS) < 0.1
    words = (torch.rand(PAPERS, WORDS) < 0.02 + 0.12 * typical[field]).float()
    alike = field[:, None] == field
    links = (torch.rand(PAPERS, PAPERS) < torch.where(alike, 0.015, 0.002)).float()
    links = ((links + links.T) > 0).float() + torch.eye(PAPERS)
    return words, links / links.sum(1, keepdim=True), field


def train(evaluates):
    words, links, field = papers()
    order = torch.randperm(PAPERS)
    known, held = order[:150], order[150:400]
    model = Convolutions(0.6)
    score = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=5e-4)
    for epoch in range(120):
        model.train()
        loss = score(model(words, links)[known], field[known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % 10 == 9:
            if evaluates:
                model.eval()
            with torch.no_grad():
                print(epoch, f"{loss.item():.3f}",
                      f"{score(model(words, links)[held], field[held]).item():.3f}")
    return model, optimizer


def sick():
    return train(evaluates=False)


def well():
    return train(evaluates=True)


if __name__ == "__main__":
    sick()
