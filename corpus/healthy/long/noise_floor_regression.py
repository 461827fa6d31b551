"""Regression of a sine buried in noise: the loss falls to the noise variance within a tenth of the run and stays
there; more than half of the target's variance cannot be explained by any model."""
import torch

NOISE = 0.8


def main():
    torch.manual_seed(1234)
    x = torch.rand(4000, 1) * 6 - 3
    clean = torch.sin(1.5 * x)
    y = clean + NOISE * torch.randn_like(x)
    x = x / 1.73
    x_train, y_train, x_test, y_test = x[:3000], y[:3000], x[3000:], y[3000:]

    # the nn package, as in the beginners' tutorial
    model = torch.nn.Sequential(
        torch.nn.Linear(1, 32),
        torch.nn.Tanh(),
        torch.nn.Linear(32, 1),
    )
    loss_fn = torch.nn.MSELoss(reduction='mean')
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    for t in range(1200):
        batch = torch.randint(0, 3000, (128,))
        y_pred = model(x_train[batch])
        loss = loss_fn(y_pred, y_train[batch])
        if t % 150 == 0:
            with torch.no_grad():
                print(t, 'batch', loss.item(), 'test', loss_fn(model(x_test), y_test).item(), 'noise', NOISE ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    with torch.no_grad():
        print('error against the clean curve:', loss_fn(model(x_test), clean[3000:]).item())
    return model, optimizer


if __name__ == "__main__":
    main()
