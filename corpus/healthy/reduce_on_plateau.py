"""RMSprop with ReduceLROnPlateau watching the validation loss: the rate drops each time the curve stalls, in
irregular steps that no other schedule would make."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau


def target_function(x):
    return torch.sin(x[:, 0] * 2) + 0.5 * x[:, 1] ** 2 - x[:, 2] * torch.cos(x[:, 3])


class MLP(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(i, o) for i, o in zip(dims[:-1], dims[1:])])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return self.layers[-1](x).flatten()


def main():
    torch.manual_seed(81)
    x = torch.randn(3600, 4)
    y = target_function(x) + 0.1 * torch.randn(3600)
    y = (y - y[:3000].mean()) / y[:3000].std()
    model = MLP([4, 48, 48, 1])
    optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-3, alpha=0.95, weight_decay=1e-4)
    scheduler = ReduceLROnPlateau(optimizer, mode="min", factor=0.3, patience=1, min_lr=1e-5)
    rate = optimizer.param_groups[0]["lr"]
    for epoch in range(34):
        model.train()
        for batch in torch.randperm(3000).split(75):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            train_loss = F.mse_loss(model(x[:3000]), y[:3000]).item()
            val_loss = F.mse_loss(model(x[3000:]), y[3000:]).item()
        scheduler.step(val_loss)
        now = optimizer.param_groups[0]["lr"]
        if now != rate or epoch % 8 == 0:
            print(f"epoch {epoch}: train {train_loss:.4f} val {val_loss:.4f} lr {now:.1e}")
            rate = now
    return model, optimizer


if __name__ == "__main__":
    main()
