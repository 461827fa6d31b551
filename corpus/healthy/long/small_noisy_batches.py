"""Batches of four: the loss of single batches jumps between zero and two, the epoch means fall all the same."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from sklearn.datasets import make_blobs
from torch.utils.data import DataLoader, TensorDataset


def make_data():
    X, y = make_blobs(n_samples=1300, n_features=6, centers=5, cluster_std=4.2, random_state=2)
    X = torch.tensor(X, dtype=torch.float32)
    y = torch.tensor(y)
    X = (X - X[:1000].mean(0)) / X[:1000].std(0)
    return TensorDataset(X[:1000], y[:1000]), TensorDataset(X[1000:], y[1000:])


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.hidden = nn.Linear(6, 32)
        self.out = nn.Linear(32, 5)

    def forward(self, x):
        return self.out(F.relu(self.hidden(x)))


def main():
    torch.manual_seed(0)
    trainset, testset = make_data()
    trainloader = DataLoader(trainset, batch_size=4, shuffle=True)
    testloader = DataLoader(testset, batch_size=100)
    net = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.5)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 3, 0.3)

    for epoch in range(6):
        running_loss = 0.0
        net.train()
        for i, data in enumerate(trainloader, 0):
            inputs, labels = data
            optimizer.zero_grad()
            outputs = net(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        print('[%d] loss: %.3f' % (epoch + 1, running_loss / len(trainloader)), end='  ')
        scheduler.step()
        net.eval()
        correct = total = 0
        val = 0.0
        with torch.no_grad():
            for inputs, labels in testloader:
                outputs = net(inputs)
                val += criterion(outputs, labels).item() * labels.size(0)
                correct += (outputs.argmax(1) == labels).sum().item()
                total += labels.size(0)
        print('test loss: %.3f accuracy: %.1f %%' % (val / total, 100 * correct / total))
    print('Finished Training')
    return net, optimizer


if __name__ == "__main__":
    main()
