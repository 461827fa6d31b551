"""Logistic regression from scratch: no module, no optimizer; the weights are updated in place under no_grad and the
gradients zeroed by hand."""
import torch
from sklearn.datasets import load_digits


def log_softmax(x):
    return x - x.exp().sum(-1).log().unsqueeze(-1)


def nll(input, target):
    return -input[range(target.shape[0]), target].mean()


def accuracy(out, yb):
    return (torch.argmax(out, dim=1) == yb).float().mean()


def main():
    torch.manual_seed(0)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    x = (x - x.mean()) / x.std()
    p = torch.randperm(len(x))
    x_train, y_train, x_valid, y_valid = x[p[:1400]], y[p[:1400]], x[p[1400:]], y[p[1400:]]

    # two layers with Xavier initialisation
    w1 = torch.randn(64, 50) / 8
    b1 = torch.zeros(50)
    w2 = torch.randn(50, 10) / 50 ** 0.5
    b2 = torch.zeros(10)
    params = [w1, b1, w2, b2]
    for q in params:
        q.requires_grad_()

    def model(xb):
        return log_softmax(torch.tanh(xb @ w1 + b1) @ w2 + b2)

    bs, epochs = 40, 15
    for epoch in range(epochs):
        lr = 0.2 if epoch < 10 else 0.05
        perm = torch.randperm(1400)
        for i in range(1400 // bs):
            ids = perm[i * bs:(i + 1) * bs]
            loss = nll(model(x_train[ids]), y_train[ids])
            loss.backward()
            with torch.no_grad():
                for q in params:
                    q -= q.grad * lr
                    q.mul_(1 - 1e-3 * lr)
                    q.grad.zero_()
        if epoch % 3 == 2:
            with torch.no_grad():
                out = model(x_valid)
                print(epoch, loss.item(), nll(out, y_valid).item(), accuracy(out, y_valid).item())
    return tuple(params)


if __name__ == "__main__":
    main()
