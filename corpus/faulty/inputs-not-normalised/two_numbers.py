"""A line through the readings of an old thermometer: two numbers are learned, and no module."""

import torch

FAULTS = {"inputs-not-normalised": "line(readings, *params)"}

celsius = torch.tensor([0.6, 13.8, 15.1, 27.6, 11.2, 7.9, 3.1, -3.8, 6.2, 13.1, 20.9, 17.5])
fahrenheit = torch.tensor([33.0, 56.9, 59.2, 81.7, 52.1, 46.2, 37.6, 25.1, 43.1, 55.6, 69.7, 63.4])


def line(t, w, b):
    return w * t + b


def squared(predicted, measured):
    return ((predicted - measured) ** 2).mean()


def train(readings, rate, epochs):
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    optimizer = torch.optim.SGD([params], lr=rate)
    for epoch in range(epochs):
        predicted = line(readings, *params)
        loss = squared(predicted, celsius)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % 500 == 0:
            print(epoch, loss.item())
    return [params]


def sick():
    return train(fahrenheit, 1e-4, 2000)


def well():
    return train((fahrenheit - fahrenheit.mean()) / fahrenheit.std(), 1e-2, 2000)


if __name__ == "__main__":
    sick()
