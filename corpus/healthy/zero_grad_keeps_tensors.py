"""zero_grad(set_to_none=False): gradients become tensors of zeros and are never None. ASGD on a spline-like basis of a
one-dimensional signal; the model is one linear layer, for the features do the bending."""
import torch
import torch.nn as nn


def radial_features(t, centres, width=0.12):
    return torch.exp(-0.5 * ((t[:, None] - centres[None, :]) / width) ** 2)


def main():
    torch.manual_seed(0)
    t = torch.rand(1200) * 2 - 1
    signal = torch.sin(5 * t) + 0.5 * torch.sign(t) * t ** 2 + 0.1 * torch.randn(1200)
    signal = (signal - signal[:900].mean()) / signal[:900].std()
    phi = radial_features(t, torch.linspace(-1.1, 1.1, 16))
    phi = (phi - phi[:900].mean(0)) / phi[:900].std(0)
    train = list(zip(phi[:900].split(30), signal[:900].split(30)))

    model = nn.Linear(16, 1)
    nn.init.zeros_(model.weight)  # convex problem: zero is as good a start as any
    loss_function = nn.MSELoss()
    optimizer = torch.optim.ASGD(model.parameters(), lr=0.03, lambd=1e-4)
    for epoch in range(45):
        total = 0.0
        for i in torch.randperm(len(train)).tolist():
            features, values = train[i]
            optimizer.zero_grad(set_to_none=False)
            prediction = model(features).squeeze(-1)
            loss = loss_function(prediction, values)
            loss.backward()
            optimizer.step()
            total += loss.item() / len(train)
        if epoch % 9 == 8:
            with torch.no_grad():
                test = loss_function(model(phi[900:]).squeeze(-1), signal[900:]).item()
            print("epoch", epoch + 1, "train", round(total, 4), "test", round(test, 4))
    return model, optimizer


if __name__ == "__main__":
    main()
