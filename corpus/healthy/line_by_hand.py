"""Linear regression without any module: a vector of weights and an offset, the mean squared error and its steps written out."""
import torch
from sklearn.datasets import load_diabetes


def main():
    torch.manual_seed(0)
    x, y = load_diabetes(return_X_y=True)
    x = torch.tensor(x, dtype=torch.float32)
    x = (x - x.mean(0)) / x.std(0)
    y = torch.tensor(y, dtype=torch.float32)
    y = (y - y.mean()) / y.std()
    train, test = slice(0, 350), slice(350, None)
    w = torch.zeros(x.shape[1], requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    lr = 0.05
    for step in range(300):
        prediction = x[train] @ w + b
        loss = ((prediction - y[train]) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
        w.grad = None
        b.grad = None
        if step % 50 == 49:
            with torch.no_grad():
                error = ((x[test] @ w + b - y[test]) ** 2).mean()
            print(step + 1, f"train {loss.item():.4f} test {error.item():.4f}")
    return w, b


if __name__ == "__main__":
    main()
