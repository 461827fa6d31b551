"""Early stopping with patience on the breast-cancer table; the best weights are kept by deepcopy and put back at
the end. The run stops by itself long before its epoch limit."""
import copy

import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset


class EarlyStopping:
    def __init__(self, patience=6, min_delta=1e-3):
        self.patience, self.min_delta = patience, min_delta
        self.best, self.bad_epochs, self.state = float("inf"), 0, None

    def __call__(self, value, model):
        if value < self.best - self.min_delta:
            self.best, self.bad_epochs = value, 0
            self.state = copy.deepcopy(model.state_dict())
        else:
            self.bad_epochs += 1
        return self.bad_epochs >= self.patience


def main():
    torch.manual_seed(12)
    X, y = load_breast_cancer(return_X_y=True)
    X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.3, stratify=y, random_state=12)
    sc = StandardScaler()
    X_train = torch.FloatTensor(sc.fit_transform(X_train))
    X_val = torch.FloatTensor(sc.transform(X_val))
    y_train, y_val = torch.LongTensor(y_train), torch.LongTensor(y_val)

    class BinaryClassification(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer_1 = nn.Linear(30, 16)
            self.layer_out = nn.Linear(16, 2)
            self.dropout = nn.Dropout(p=0.2)

        def forward(self, inputs):
            return self.layer_out(self.dropout(torch.tanh(self.layer_1(inputs))))

    model = BinaryClassification()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=2e-3)
    loader = DataLoader(TensorDataset(X_train, y_train), batch_size=16, shuffle=True)
    stopper = EarlyStopping()

    for epoch in range(200):
        model.train()
        epoch_loss = 0
        for X_batch, y_batch in loader:
            optimizer.zero_grad()
            loss = criterion(model(X_batch), y_batch)
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item()
        model.eval()
        with torch.no_grad():
            val_logits = model(X_val)
            val_loss = criterion(val_logits, y_val).item()
            val_acc = (val_logits.argmax(1) == y_val).float().mean().item()
        print(f"Epoch {epoch + 0:03}: | Loss: {epoch_loss / len(loader):.5f} | Val: {val_loss:.5f} | Acc: {val_acc:.3f}")
        if stopper(val_loss, model):
            print("early stop, best", round(stopper.best, 5))
            break
    model.load_state_dict(stopper.state)
    return model, optimizer


if __name__ == "__main__":
    main()
