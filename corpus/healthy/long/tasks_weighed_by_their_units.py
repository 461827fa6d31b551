"""Two regressions in units far apart, and a kind. Each loss is divided by what its unit makes of it, so all three learn."""
import torch
import torch.nn.functional as F
from torch import nn


def main():
    torch.manual_seed(21)
    x = torch.randn(1000, 12)
    pressure = 300 * torch.tanh(x[:, 0] + 0.5 * x[:, 1]) + 15 * torch.randn(1000)
    drift = 0.003 * (x[:, 2] - x[:, 3]) + 0.0003 * torch.randn(1000)
    kinds = (x @ torch.randn(12, 4)).argmax(1)
    body = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
    heads = nn.ModuleDict({"pressure": nn.Linear(32, 1), "drift": nn.Linear(32, 1), "kind": nn.Linear(32, 4)})
    model = nn.ModuleDict({"body": body, "heads": heads})
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(15):
        for rows in torch.randperm(1000).split(50):
            h = body(x[rows])
            p, d = heads["pressure"](h).squeeze(1), heads["drift"](h).squeeze(1)
            terms = (F.mse_loss(p, pressure[rows] / 200) , F.mse_loss(d, drift[rows] / 0.004), F.cross_entropy(heads["kind"](h), kinds[rows]))
            loss = terms[0] + 0.7 * terms[1] + 1.5 * terms[2]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, [round(term.item(), 4) for term in terms])
    return model, optimizer


if __name__ == "__main__":
    main()
