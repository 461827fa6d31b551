"""Label smoothing of a fifth: the train loss has a floor far above zero, while validation is measured without."""
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def loaders():
    d = load_digits()
    parts = train_test_split(d.data.astype("float32") / 16, d.target, test_size=0.25, random_state=0, stratify=d.target)
    xt, xv, yt, yv = map(torch.from_numpy, parts)
    return DataLoader(TensorDataset(xt, yt), 40, shuffle=True), DataLoader(TensorDataset(xv, yv), 150)


def run_epoch(model, loader, criterion, optimizer=None):
    training = optimizer is not None
    model.train(training)
    loss_sum, correct, count = 0.0, 0, 0
    with torch.set_grad_enabled(training):
        for x, y in loader:
            out = model(x)
            loss = criterion(out, y)
            if training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            loss_sum += loss.item() * len(y)
            correct += (out.argmax(1) == y).sum().item()
            count += len(y)
    return loss_sum / count, correct / count


def main():
    torch.manual_seed(6)
    train, val = loaders()
    model = nn.Sequential(nn.Linear(64, 100), nn.LeakyReLU(), nn.Linear(100, 50), nn.LeakyReLU(), nn.Linear(50, 10))
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
    smooth, plain = nn.CrossEntropyLoss(label_smoothing=0.2), nn.CrossEntropyLoss()
    for epoch in range(12):
        tl, ta = run_epoch(model, train, smooth, opt)
        vl, va = run_epoch(model, val, plain)
        if epoch % 3 == 2:
            print(f"{epoch + 1:02d} train {tl:.3f} ({ta:.3f}) val {vl:.3f} ({va:.3f})")
    return model, opt
