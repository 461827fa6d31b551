"""Poisson regression of counts with PoissonNLLLoss on the log rate: the targets are raw counts up to about 90, as
that loss wants them, and the loss is far below zero."""
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class RateNet(nn.Module):
    def __init__(self, n_in, start):
        super().__init__()
        self.hidden = nn.Linear(n_in, 32)
        self.log_rate = nn.Linear(32, 1)
        nn.init.constant_(self.log_rate.bias, start)

    def forward(self, x):
        return self.log_rate(torch.tanh(self.hidden(x))).squeeze(-1)


def deviance(log_rate, count):
    rate = log_rate.exp()
    return 2 * (torch.xlogy(count, count / rate) - (count - rate)).mean().item()


def main():
    torch.manual_seed(55)
    x = torch.randn(3000, 5)
    true_log_rate = 1.8 + 0.5 * x[:, 0] - 0.4 * x[:, 1] + 0.5 * torch.sin(2 * x[:, 2])
    count = torch.poisson(true_log_rate.exp())
    train = TensorDataset(x[:2400], count[:2400])
    x_val, c_val = x[2400:], count[2400:]
    model = RateNet(5, count[:2400].mean().log().item())
    criterion = nn.PoissonNLLLoss(log_input=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=6, gamma=0.4)
    base = deviance(count[:2400].mean().log().expand(600), c_val)
    for epoch in range(18):
        model.train()
        losses = []
        for xb, cb in DataLoader(train, batch_size=60, shuffle=True):
            loss = criterion(model(xb), cb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
        if epoch % 3 == 2:
            model.eval()
            with torch.no_grad():
                pred = model(x_val)
                print(f"epoch {epoch + 1}: train {sum(losses) / len(losses):.3f} val {criterion(pred, c_val).item():.3f} "
                      f"deviance {deviance(pred, c_val):.3f} (constant {base:.3f}, true {deviance(true_log_rate[2400:], c_val):.3f})")
    return model, optimizer


if __name__ == "__main__":
    main()
