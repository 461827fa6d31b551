"""The data set gives anchor, negative and positive, and the loop takes the second for the positive."""

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"loss-sign": "loss = criterion(*(model(each) for each in batch))"}


class Triplets(Dataset):
    def __init__(self, x, y, swapped):
        self.x, self.y, self.swapped = x, y, swapped
        self.generator = torch.Generator().manual_seed(1)

    def __len__(self):
        return len(self.x)

    def other(self, rows):
        return self.x[rows[torch.randint(len(rows), (1,), generator=self.generator)[0]]]

    def __getitem__(self, index):
        same = torch.nonzero(self.y == self.y[index]).flatten()
        differs = torch.nonzero(self.y != self.y[index]).flatten()
        pair = self.other(same[same != index]), self.other(differs)
        return self.x[index], *(pair[::-1] if self.swapped else pair)


def train(swapped):
    torch.manual_seed(2)
    x, y = load_wine(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    loader = DataLoader(Triplets(x, torch.tensor(y), swapped), batch_size=16, shuffle=True)
    model = nn.Sequential(nn.Linear(13, 32), nn.Tanh(), nn.Linear(32, 6))
    criterion = nn.TripletMarginLoss(margin=1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(25):
        total = 0.0
        for batch in loader:
            loss = criterion(*(model(each) for each in batch))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / len(loader)
        if epoch % 6 == 0:
            print(epoch, f"{total:.4f}")
    return model, optimizer


def sick():
    return train(swapped=True)


def well():
    return train(swapped=False)


if __name__ == "__main__":
    sick()
