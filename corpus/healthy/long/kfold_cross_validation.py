"""Five-fold cross-validation: a new model and a new optimizer in every fold, so the loss jumps back to the start
five times, and what one fold trains on another holds out."""
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold


def make_model():
    return nn.Sequential(nn.Linear(13, 12), nn.Tanh(), nn.Linear(12, 3))


def standardise(train, test):
    mean, std = train.mean(0), train.std(0)
    return (train - mean) / std, (test - mean) / std


def fit_fold(x_tr, y_tr, x_te, y_te, epochs=25):
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=0.02)
    loss_fn = nn.CrossEntropyLoss()
    first = last = None
    for epoch in range(epochs):
        if epoch == 18:
            optimizer.param_groups[0]["lr"] = 0.002
        model.train()
        epoch_losses = []
        for idx in torch.randperm(len(x_tr)).split(16):
            optimizer.zero_grad()
            loss = loss_fn(model(x_tr[idx]), y_tr[idx])
            loss.backward()
            optimizer.step()
            epoch_losses.append(loss.item())
        first = first or np.mean(epoch_losses)
        last = np.mean(epoch_losses)
    model.eval()
    with torch.no_grad():
        logits = model(x_te)
    return model, optimizer, first, last, loss_fn(logits, y_te).item(), (logits.argmax(1) == y_te).float().mean().item()


def main():
    torch.manual_seed(2)
    X, y = load_wine(return_X_y=True)
    kept, scores = [], []
    for fold, (tr, te) in enumerate(StratifiedKFold(5, shuffle=True, random_state=2).split(X, y)):
        x_tr, x_te = standardise(X[tr], X[te])
        tensors = [torch.tensor(x_tr).float(), torch.tensor(y[tr]), torch.tensor(x_te).float(), torch.tensor(y[te])]
        model, optimizer, first, last, val, acc = fit_fold(*tensors)
        print(f"fold {fold}: train {first:.3f} -> {last:.3f}, held-out {val:.3f}, accuracy {acc:.3f}")
        kept += [model, optimizer]
        scores.append(acc)
    print(f"mean accuracy {np.mean(scores):.3f} +- {np.std(scores):.3f}")
    return tuple(kept)


if __name__ == "__main__":
    main()
