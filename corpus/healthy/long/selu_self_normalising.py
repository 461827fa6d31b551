"""Self-normalising network: SELU, LeCun-normal weights, zero biases and alpha dropout, six layers deep without any
normalising layer."""
import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset


def lecun_init(module):
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
        nn.init.zeros_(module.bias)


def snn(n_in, width, depth, n_out, p=0.02):
    layers = []
    for i in range(depth):
        layers += [nn.Linear(n_in if i == 0 else width, width), nn.SELU(), nn.AlphaDropout(p)]
    model = nn.Sequential(*layers, nn.Linear(width, n_out))
    return model.apply(lecun_init)


def main():
    torch.manual_seed(16)
    X, y = make_classification(n_samples=3600, n_features=20, n_informative=12, n_redundant=4, n_classes=3,
                               class_sep=1.8, flip_y=0.01, random_state=16)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=600, random_state=16)
    scaler = StandardScaler().fit(X_train)
    to_tensor = lambda a, b: (torch.tensor(scaler.transform(a), dtype=torch.float32), torch.tensor(b))
    train, (x_test, y_test) = to_tensor(X_train, y_train), to_tensor(X_test, y_test)
    loader = DataLoader(TensorDataset(*train), batch_size=60, shuffle=True)

    model = snn(20, 48, 6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.8, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 14)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(14):
        model.train()
        total = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item() / len(loader)
        scheduler.step()
        model.eval()
        with torch.no_grad():
            logits = model(x_test)
        if epoch % 2:
            print(f"epoch {epoch}: train {total:.4f} test {criterion(logits, y_test).item():.4f} "
                  f"acc {(logits.argmax(1) == y_test).float().mean().item():.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
