"""One model under two optimizers: plain SGD for the convolutional encoder, Adam for the classifier. Neither
optimizer holds all parameters, together they hold each exactly once."""
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 16, 3)
        self.c2 = nn.Conv2d(16, 32, 3)

    def forward(self, x):
        return torch.flatten(torch.relu(self.c2(torch.relu(self.c1(x)))), 1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.classifier = nn.Sequential(nn.Linear(32 * 16, 64), nn.Tanh(), nn.Dropout(0.2), nn.Linear(64, 10))

    def forward(self, x):
        return self.classifier(self.encoder(x))


def main():
    torch.manual_seed(17)
    bunch = load_digits()
    x = torch.as_tensor(bunch.images, dtype=torch.float).unsqueeze(1)
    y = torch.as_tensor(bunch.target)
    shuffle = torch.randperm(len(x))
    x, y = x[shuffle], y[shuffle]
    x = (x - x[:1437].mean()) / x[:1437].std()
    x_tr, y_tr, x_te, y_te = x[:1437], y[:1437], x[1437:], y[1437:]

    model = Model()
    opt_enc = torch.optim.SGD(model.encoder.parameters(), lr=0.05)
    opt_cls = torch.optim.Adam(model.classifier.parameters(), lr=1e-3, weight_decay=1e-4)
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, 16) for o in (opt_enc, opt_cls)]
    for epoch in range(16):
        model.train()
        losses = []
        for ids in torch.randperm(len(x_tr)).split(48):
            loss = cross_entropy(model(x_tr[ids]), y_tr[ids])
            opt_enc.zero_grad()
            opt_cls.zero_grad()
            loss.backward()
            opt_enc.step()
            opt_cls.step()
            losses.append(loss.item())
        for s in schedules:
            s.step()
        model.eval()
        with torch.no_grad():
            out = model(x_te)
        acc = (out.argmax(1) == y_te).float().mean().item()
        print(f"{epoch}: train {sum(losses) / len(losses):.4f} test {cross_entropy(out, y_te).item():.4f} acc {acc:.3f}")
    return model, opt_enc, opt_cls


if __name__ == "__main__":
    main()
