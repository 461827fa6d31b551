"""A loop of the careful kind: every batch runs in a try with a bare except that skips bad batches (there are none), and
a finally that keeps count. Errors and exits raised inside would be swallowed."""
import traceback

import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split


def train_one_batch(model, criterion, optimizer, xb, yb):
    optimizer.zero_grad()
    loss = criterion(model(xb), yb)
    if not torch.isfinite(loss):
        raise ValueError("loss is not finite")
    loss.backward()
    optimizer.step()
    return loss.item()


def main():
    torch.manual_seed(22)
    X, y = load_breast_cancer(return_X_y=True)
    X_tr, X_te, y_tr, y_te = train_test_split(X, y, test_size=0.25, random_state=22)
    m, s = X_tr.mean(0), X_tr.std(0)
    X_tr, X_te = torch.tensor((X_tr - m) / s).float(), torch.tensor((X_te - m) / s).float()
    y_tr, y_te = torch.tensor(y_tr), torch.tensor(y_te)

    model = nn.Sequential(nn.Linear(30, 20), nn.ReLU(), nn.Dropout(0.25), nn.Linear(20, 2))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=2e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 11)
    done = skipped = 0
    for epoch in range(11):
        model.train()
        epoch_losses = []
        for idx in torch.randperm(len(X_tr)).split(16):
            try:
                epoch_losses.append(train_one_batch(model, criterion, optimizer, X_tr[idx], y_tr[idx]))
            except:  # noqa: E722  keep going whatever happens
                traceback.print_exc()
                skipped += 1
            finally:
                done += 1
        scheduler.step()
        if epoch % 2 == 0:
            model.eval()
            with torch.no_grad():
                out = model(X_te)
            print(f"epoch {epoch + 1}: {sum(epoch_losses) / len(epoch_losses):.4f} test {criterion(out, y_te).item():.4f} "
                  f"acc {(out.argmax(1) == y_te).float().mean().item():.3f} ({done} batches, {skipped} skipped)")
    return model, optimizer


if __name__ == "__main__":
    main()
