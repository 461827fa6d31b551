"""Regularised logistic regression fitted by LBFGS on the full batch: one tensor of data at every step, many
backward passes per step, and a flat end at the optimum of a convex problem."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split


def main():
    torch.manual_seed(0)
    X, y = load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    mu, sigma = X_train.mean(axis=0), X_train.std(axis=0)
    X_train = torch.tensor((X_train - mu) / sigma, dtype=torch.float32)
    X_test = torch.tensor((X_test - mu) / sigma, dtype=torch.float32)
    y_train = torch.tensor(y_train, dtype=torch.float32).unsqueeze(1)
    y_test = torch.tensor(y_test, dtype=torch.float32).unsqueeze(1)

    model = torch.nn.Linear(30, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=1, history_size=10)
    l2 = 1e-3

    def closure():
        optimizer.zero_grad()
        objective = F.binary_cross_entropy_with_logits(model(X_train), y_train)
        objective = objective + l2 * model.weight.pow(2).sum()
        objective.backward()
        return objective

    for step in range(70):
        objective = optimizer.step(closure)
        if step % 10 == 0 or step == 69:
            with torch.no_grad():
                logits = model(X_test)
                test_loss = F.binary_cross_entropy_with_logits(logits, y_test)
                accuracy = ((logits > 0).float() == y_test).float().mean()
            print(f"step {step:2d} objective {objective.item():.5f} test {test_loss.item():.4f} acc {accuracy.item():.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
