"""An electronic nose: gases told apart by the readings of many sensors. The weights are plain
tensors with a deviation of one, and the sums that reach a tanh are large for nearly all samples."""

import torch

FAULTS = {"saturated-activations": "torch.tanh(x @ w1 + b1)"}

SENSORS, GASES = 80, 8


def unit(inside, outside):
    return torch.randn(inside, outside), torch.zeros(outside)


def by_inputs(inside, outside):
    return torch.randn(inside, outside) / inside**0.5, torch.zeros(outside)


def sniffs(count, generator):
    """Each gas has its own pattern, of a strength that saturates with its concentration."""
    patterns = torch.randn(GASES, SENSORS, generator=generator)
    gas = torch.randint(0, GASES, (count,), generator=generator)
    strength = torch.rand(count, 1, generator=generator) * 1.5
    readings = torch.tanh(strength * patterns[gas])
    readings = readings + 0.8 * torch.randn(count, SENSORS, generator=generator)
    return (readings - readings.mean(0)) / readings.std(0), gas


def network(layer):
    layers = [layer(SENSORS, 64), layer(64, 64), layer(64, 64), layer(64, GASES)]
    weights = [tensor.requires_grad_() for pair in layers for tensor in pair]

    def scores(x):
        w1, b1, w2, b2, w3, b3, w4, b4 = weights
        x = torch.tanh(x @ w1 + b1)
        x = torch.tanh(x @ w2 + b2)
        x = torch.tanh(x @ w3 + b3)
        return x @ w4 + b4

    return scores, weights


def learn(layer):
    torch.manual_seed(20)
    readings, gas = sniffs(1000, torch.Generator().manual_seed(20))
    scores, weights = network(layer)
    optimizer = torch.optim.SGD(weights, lr=0.02, momentum=0.9)
    for epoch in range(15):
        for rows in torch.randperm(800).split(40):
            loss = torch.nn.functional.cross_entropy(scores(readings[rows]), gas[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 3 == 2:
            with torch.no_grad():
                right = (scores(readings[800:]).argmax(1) == gas[800:]).float().mean()
            print(f"epoch {epoch + 1}: {loss.item():.3f}, {right.item():.1%} of new sniffs right")
    return weights, optimizer


def sick():
    return learn(unit)


def well():
    return learn(by_inputs)


if __name__ == "__main__":
    sick()
