"""zero_grad between backward and step: nothing is ever learned, and had it been, a softmax before
cross-entropy would have held it up."""

import torch
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"step-without-gradient": None, "output-does-not-fit-loss": None}


def main():
    torch.manual_seed(41)
    x, y = load_wine(return_X_y=True)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    x = (x - x.mean(0)) / x.std(0)

    hidden = nn.Linear(13, 32)
    output = nn.Linear(32, 3)
    parameters = [*hidden.parameters(), *output.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    for step in range(200):
        rows = torch.randint(0, len(x), (32,))
        scores = output(torch.relu(hidden(x[rows])))
        probabilities = scores.softmax(dim=1)
        loss = nn.functional.cross_entropy(probabilities, y[rows])
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        if step % 40 == 0:
            print(f"step {step}: {loss.item():.4f}")
    return hidden, output


if __name__ == "__main__":
    main()
