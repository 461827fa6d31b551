"""Binary activations through a hand-written autograd.Function with a straight-through estimator: the forward is a
sign (gradient zero almost everywhere), the backward pretends it was a clamp."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset


class SignSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (x.abs() <= 1).to(grad_output.dtype)


class BinaryNet(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.fc1 = nn.Linear(64, width)
        self.norm = nn.BatchNorm1d(width)
        self.fc2 = nn.Linear(width, 10)

    def forward(self, x):
        return self.fc2(SignSTE.apply(self.norm(self.fc1(x))))


def main():
    torch.manual_seed(88)
    x, y = load_digits(return_X_y=True)
    x = torch.tensor(x / 16.0, dtype=torch.float32).sub_(0.3).div_(0.37)
    y = torch.tensor(y)
    perm = torch.randperm(len(x))
    train_idx, valid_idx = perm[:1400], perm[1400:]
    loader = DataLoader(TensorDataset(x[train_idx], y[train_idx]), batch_size=35, shuffle=True)
    model = BinaryNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
    milestones = torch.optim.lr_scheduler.MultiStepLR(optimizer, [10, 15], 0.2)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(18):
        model.train()
        loss_sum = 0.0
        for xb, yb in loader:
            loss = loss_fn(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item()
        milestones.step()
        if epoch % 3 == 2:
            model.eval()
            with torch.no_grad():
                out = model(x[valid_idx])
                acc = (out.argmax(1) == y[valid_idx]).float().mean().item()
                print(f"{epoch}\t{loss_sum / len(loader):.4f}\t{loss_fn(out, y[valid_idx]).item():.4f}\t{acc:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
