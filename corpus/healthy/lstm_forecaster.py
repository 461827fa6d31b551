"""One-step LSTM forecaster on a noisy sum of two sines, split in time. The windows overlap inside each
set (not across the split), which makes samples look alike without being duplicates."""
import numpy as np
import torch
import torch.nn as nn

SEQ_LEN = 24


def create_dataset(series, seq_len):
    xs, ys = [], []
    for i in range(len(series) - seq_len):
        xs.append(series[i:i + seq_len])
        ys.append(series[i + seq_len])
    xs = torch.tensor(np.array(xs), dtype=torch.float32).unsqueeze(-1)
    ys = torch.tensor(np.array(ys), dtype=torch.float32).unsqueeze(-1)
    return xs, ys


class LSTMForecaster(nn.Module):
    def __init__(self, hidden_size=24):
        super().__init__()
        self.lstm = nn.LSTM(input_size=1, hidden_size=hidden_size, num_layers=1, batch_first=True)
        self.linear = nn.Linear(hidden_size, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.linear(out[:, -1, :])


def main():
    torch.manual_seed(42)
    np.random.seed(42)
    t = np.arange(1400)
    series = np.sin(0.21 * t) + 0.6 * np.sin(0.0731 * t + 1.0) + 0.1 * np.random.randn(len(t))

    split = 1100
    mean, std = series[:split].mean(), series[:split].std()
    series = (series - mean) / std
    x_train, y_train = create_dataset(series[:split], SEQ_LEN)
    x_test, y_test = create_dataset(series[split:], SEQ_LEN)

    model = LSTMForecaster()
    loss_function = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.88)

    batch_size = 64
    for epoch in range(25):
        model.train()
        order = torch.randperm(len(x_train))
        epoch_loss = 0
        for start in range(0, len(order), batch_size):
            batch = order[start:start + batch_size]
            optimizer.zero_grad()
            y_pred = model(x_train[batch])
            single_loss = loss_function(y_pred, y_train[batch])
            single_loss.backward()
            optimizer.step()
            epoch_loss += single_loss.item() * len(batch)
        scheduler.step()
        if epoch % 5 == 4:
            model.eval()
            with torch.no_grad():
                test_loss = loss_function(model(x_test), y_test).item()
            print(f'epoch: {epoch + 1:3} train: {epoch_loss / len(x_train):8.5f} test: {test_loss:8.5f}')
    return model, optimizer


if __name__ == "__main__":
    main()
