"""An L1 penalty on the activations of a wide ReLU layer drives a good part of its units silent for every sample.
That is wanted sparsity: the net learns well with those that remain."""
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy, relu


class SparseNet(nn.Module):
    def __init__(self, width=120):
        super().__init__()
        self.inp = nn.Linear(64, width)
        self.mid = nn.Linear(width, 48)
        self.out = nn.Linear(48, 10)

    def forward(self, x):
        code = relu(self.inp(x))
        return self.out(relu(self.mid(code))), code


def main(l1=6e-3, epochs=18):
    torch.manual_seed(66)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 8 - 1).float(), torch.tensor(y)
    perm = torch.randperm(len(x))
    tr, te = perm[:1400], perm[1400:]
    net = SparseNet()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, epochs)
    for e in range(epochs):
        net.train()
        ce_sum = 0
        for i in tr[torch.randperm(1400)].split(40):
            logits, code = net(x[i])
            ce = cross_entropy(logits, y[i])
            loss = ce + l1 * code.abs().sum(1).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            ce_sum += ce.item()
        sched.step()
        if e % 3 == 2:
            net.eval()
            with torch.no_grad():
                logits, code = net(x[te])
                silent = (net(x[tr])[1].max(0).values <= 0).float().mean()
            print(f"epoch {e + 1} ce {ce_sum / 35:.4f} test ce {cross_entropy(logits, y[te]):.4f} "
                  f"acc {(logits.argmax(1) == y[te]).float().mean():.3f} silent units {silent:.2f}")
    return net, opt


if __name__ == "__main__":
    main()
