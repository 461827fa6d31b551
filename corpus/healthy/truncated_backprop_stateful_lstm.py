"""Stateful LSTM with truncated backpropagation: the hidden state is detached between chunks, and the chunks come in the
order of time, unshuffled, as they must. Twelve series run side by side as one batch."""

import torch
import torch.nn as nn


def make_series(n_series, length):
    """Damped oscillators kicked at random; to predict the next value one has to remember the last two."""
    omega = torch.empty(n_series).uniform_(0.25, 0.45)
    x, v = torch.zeros(n_series), torch.zeros(n_series)
    out = []
    for _ in range(length):
        v = v - omega ** 2 * x - 0.02 * v + 0.04 * torch.randn(n_series)
        x = x + v
        out.append(x)
    series = torch.stack(out, dim=1)
    return (series - series.mean()) / series.std()


class StatefulLSTM(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x, state):
        y, state = self.lstm(x, state)
        return x + self.out(y), state


def main():
    torch.manual_seed(46)
    series = make_series(12, 1000).unsqueeze(-1)
    train, test = series[:, :800], series[:, 800:]
    model = StatefulLSTM()
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.75)
    chunk = 20
    naive = criterion(test[:, :-1], test[:, 1:]).item()
    for epoch in range(8):
        model.train()
        state, total, count = None, 0.0, 0
        for start in range(0, 800 - chunk, chunk):
            x, y = train[:, start:start + chunk], train[:, start + 1:start + chunk + 1]
            if state is not None:
                state = tuple(s.detach() for s in state)
            pred, state = model(x, state)
            loss = criterion(pred, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, count = total + loss.item(), count + 1
        scheduler.step()
        model.eval()
        with torch.no_grad():
            pred, _ = model(test[:, :-1], None)
            test_loss = criterion(pred, test[:, 1:]).item()
        print(f"epoch {epoch}: train {total / count:.5f} test {test_loss:.5f} (last value as the forecast: {naive:.5f})")
    return model, optimizer


if __name__ == "__main__":
    main()
