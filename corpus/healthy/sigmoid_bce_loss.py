"""Binary classifier that ends in a sigmoid and uses BCELoss, which expects probabilities: the pair is right.
Targets are reshaped to (N, 1) like the output."""
import torch
import torch.nn as nn
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


# 1) model
class LogisticRegression(nn.Module):
    def __init__(self, n_input_features):
        super(LogisticRegression, self).__init__()
        self.linear1 = nn.Linear(n_input_features, 8)
        self.linear2 = nn.Linear(8, 1)

    def forward(self, x):
        h = torch.tanh(self.linear1(x))
        y_predicted = torch.sigmoid(self.linear2(h))
        return y_predicted


def main():
    torch.manual_seed(1234)
    bc = datasets.load_breast_cancer()
    X, y = bc.data, bc.target
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=1234)
    sc = StandardScaler()
    X_train = torch.from_numpy(sc.fit_transform(X_train)).float()
    X_test = torch.from_numpy(sc.transform(X_test)).float()
    y_train = torch.from_numpy(y_train).float().view(-1, 1)
    y_test = torch.from_numpy(y_test).float().view(-1, 1)

    model = LogisticRegression(X.shape[1])
    # 2) loss and optimizer
    criterion = nn.BCELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=2e-2)
    # 3) training loop, whole batch
    num_epochs = 400
    for epoch in range(num_epochs):
        y_predicted = model(X_train)
        loss = criterion(y_predicted, y_train)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if (epoch + 1) % 80 == 0:
            with torch.no_grad():
                y_hat = model(X_test)
                acc = y_hat.round().eq(y_test).sum() / float(y_test.shape[0])
            print(f'epoch: {epoch + 1}, loss = {loss.item():.4f}, test loss = {criterion(y_hat, y_test).item():.4f}, acc = {acc:.4f}')
    return model, optimizer


if __name__ == "__main__":
    main()
