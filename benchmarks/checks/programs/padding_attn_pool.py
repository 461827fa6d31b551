# Attention pooling over bags of measurements, plain SGD.
import torch
import torch.nn as nn

torch.manual_seed(8)
MAX_ITEMS = 160
N = 900

sizes = torch.randint(3, 7, (N,))
target = torch.randint(0, 3, (N,))
centres = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]]) * 1.2
bags = torch.zeros(N, MAX_ITEMS, 4)
for i, (s, t) in enumerate(zip(sizes.tolist(), target.tolist())):
    bags[i, :s] = centres[t] + 0.7 * torch.randn(s, 4)
present = torch.arange(MAX_ITEMS)[None, :] < sizes[:, None]


class BagClassifier(nn.Module):
    def __init__(self, d=20):
        super(BagClassifier, self).__init__()
        self.item = nn.Sequential(nn.Linear(4, d), nn.Tanh(), nn.Linear(d, d))
        self.attend = nn.Sequential(nn.Linear(d, d), nn.Tanh(), nn.Linear(d, 1))
        self.classify = nn.Linear(d, 3)

    def forward(self, bag, present):
        items = self.item(bag)
        score = self.attend(items).squeeze(-1)
        weight = torch.softmax(score, dim=1)
        pooled = torch.bmm(weight.unsqueeze(1), items).squeeze(1)  # fault
        return self.classify(pooled)


def main():
    net = BagClassifier()
    sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.5)
    lossfn = nn.CrossEntropyLoss()
    for it in range(250):
        b = torch.randint(0, 700, (32,))
        sgd.zero_grad()
        loss = lossfn(net(bags[b], present[b]), target[b])
        loss.backward()
        sgd.step()
    net.eval()
    with torch.no_grad():
        pred = net(bags[700:], present[700:]).argmax(1)
    print("accuracy", round((pred == target[700:]).float().mean().item(), 3))


if __name__ == "__main__":
    main()
