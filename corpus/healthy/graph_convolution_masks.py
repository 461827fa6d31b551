"""Graph convolution on one graph of 300 nodes, full batch, with train and validation masks: the same tensors go in at
every step, and each node's output depends on its neighbours, as it must."""
import torch
import torch.nn as nn
import torch.nn.functional as F

CLASSES, NODES, FEATURES = 4, 300, 16


def stochastic_block_graph():
    y = torch.arange(NODES) % CLASSES
    same = y[:, None] == y[None, :]
    p = torch.where(same, 0.10, 0.012)
    upper = torch.triu(torch.rand(NODES, NODES) < p, diagonal=1).float()
    adjacency = upper + upper.T
    centres = torch.randn(CLASSES, FEATURES) * 0.45
    x = centres[y] + torch.randn(NODES, FEATURES)
    return x, adjacency, y


def normalise(adjacency):
    a = adjacency + torch.eye(len(adjacency))
    d = a.sum(1).rsqrt()
    return d[:, None] * a * d[None, :]


class GCNLayer(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(n_out))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, a):
        return a @ (x @ self.weight) + self.bias


class GCN(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.gc1 = GCNLayer(FEATURES, hidden)
        self.gc2 = GCNLayer(hidden, CLASSES)

    def forward(self, x, a):
        x = F.relu(self.gc1(x, a))
        x = F.dropout(x, 0.5, training=self.training)
        return F.log_softmax(self.gc2(x, a), dim=1)


def main():
    torch.manual_seed(47)
    x, adjacency, y = stochastic_block_graph()
    x = (x - x.mean(0)) / x.std(0)
    a = normalise(adjacency)
    shuffled = torch.randperm(NODES)
    train_mask, val_mask = torch.zeros(NODES, dtype=torch.bool), torch.zeros(NODES, dtype=torch.bool)
    train_mask[shuffled[:160]] = True
    val_mask[shuffled[160:]] = True

    model = GCN()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-2)
    for epoch in range(300):
        model.train()
        optimizer.zero_grad()
        output = model(x, a)
        loss_train = F.nll_loss(output[train_mask], y[train_mask])
        loss_train.backward()
        optimizer.step()
        if epoch % 50 == 49:
            model.eval()
            with torch.no_grad():
                output = model(x, a)
                loss_val = F.nll_loss(output[val_mask], y[val_mask])
                acc_val = (output[val_mask].argmax(1) == y[val_mask]).float().mean()
            print('Epoch: {:04d}'.format(epoch + 1), 'loss_train: {:.4f}'.format(loss_train.item()),
                  'loss_val: {:.4f}'.format(loss_val.item()), 'acc_val: {:.4f}'.format(acc_val.item()))
    return model, optimizer


if __name__ == "__main__":
    main()
