"""Robust regression with a Huber loss on targets whose noise has heavy tails: a few residuals stay large for ever,
but the loss bounds their pull and the clean curve is found."""
import torch
from torch import nn
from torch.nn.functional import huber_loss


def main():
    gen = torch.Generator().manual_seed(2)
    torch.manual_seed(2)
    x = torch.randn(2500, 3, generator=gen)
    clean = 1.2 * torch.tanh(x[:, 0] + x[:, 1]) + 0.6 * x[:, 2]
    noise = 0.15 * torch.randn(2500, generator=gen)
    rare = torch.rand(2500, generator=gen) < 0.04
    noise[rare] *= 15
    y = clean + noise
    centre = y[:2000].median()
    spread = (y[:2000] - centre).abs().median() * 1.4826
    y, clean = (y - centre) / spread, (clean - centre) / spread

    model = nn.Sequential(nn.Linear(3, 32), nn.Mish(), nn.Linear(32, 32), nn.Mish(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=20, power=2.0)

    for epoch in range(20):
        model.train()
        for idx in torch.randperm(2000, generator=gen).split(40):
            loss = huber_loss(model(x[idx]), y[idx], delta=0.5)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        if epoch % 4 == 0 or epoch == 19:
            model.eval()
            with torch.no_grad():
                train = huber_loss(model(x[:2000]), y[:2000], delta=0.5).item()
                pred = model(x[2000:])
                test = huber_loss(pred, y[2000:], delta=0.5).item()
                to_clean = (pred - clean[2000:]).square().mean().item()
            print(f"epoch {epoch}: huber train {train:.4f} test {test:.4f}; squared error to the clean curve {to_clean:.4f}")
    return model, optimizer


if __name__ == "__main__":
    main()
