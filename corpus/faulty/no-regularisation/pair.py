"""A survey of patients whose groups overlap is fitted by a large network without dropout or decay:
the test loss turns after a few epochs and rises far above its best."""

import torch
import torch.nn.functional as F
from sklearn.datasets import make_classification
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"no-regularisation": "torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=decay)"}


def patients():
    x, y = make_classification(
        n_samples=1200, n_features=10, n_informative=4, n_redundant=0, n_classes=2,
        n_clusters_per_class=1, class_sep=0.5, flip_y=0.05, random_state=11,
    )
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    return x[:500], torch.tensor(y[:500]), x[500:], torch.tensor(y[500:])


def network(p, hidden=192):
    layers = [nn.Linear(10, hidden), nn.ReLU()]
    if p:
        layers += [nn.Dropout(p)]
    layers += [nn.Linear(hidden, hidden), nn.ReLU()]
    if p:
        layers += [nn.Dropout(p)]
    layers += [nn.Linear(hidden, 2)]
    return nn.Sequential(*layers)


def run(model, epochs, decay):
    x, y, x_test, y_test = patients()
    loader = DataLoader(TensorDataset(x, y), batch_size=25, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=decay)
    for epoch in range(epochs):
        model.train()
        for inputs, labels in loader:
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            logits = model(x_test)
            test = F.cross_entropy(logits, y_test)
        hits = (logits.argmax(1) == y_test).float().mean()
        print(f"{epoch + 1:3d}  test loss {test:.3f}  accuracy {hits:.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(4)
    return run(network(p=0.0), epochs=60, decay=0.0)


def well():
    torch.manual_seed(4)
    return run(network(p=0.5, hidden=48), epochs=20, decay=0.001)


if __name__ == "__main__":
    sick()
