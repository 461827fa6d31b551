"""Vanilla tanh RNN on the adding problem with gradient clipping at 2.0: most steps are cut in the first phase,
hardly any later. The clip earns its place and then steps aside."""
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_


def adding_problem(n, length, generator):
    values = torch.rand(n, length, generator=generator)
    markers = torch.zeros(n, length)
    first = torch.randint(0, length // 2, (n,), generator=generator)
    second = torch.randint(length // 2, length, (n,), generator=generator)
    rows = torch.arange(n)
    markers[rows, first] = markers[rows, second] = 1.0
    target = values[rows, first] + values[rows, second]
    return torch.stack([(values - 0.5) * 3.46, (markers - 0.15) * 2.5], dim=-1), (target - 1.0) * 2.45


class Adder(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.rnn = nn.RNN(2, hidden, batch_first=True)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.readout(self.rnn(x)[0][:, -1]).squeeze(-1)


def main():
    torch.manual_seed(10)
    gen = torch.Generator().manual_seed(100)
    x_val, y_val = adding_problem(500, 10, gen)
    model = Adder()
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, 0.1, total_steps=800, pct_start=0.05, cycle_momentum=False)
    clipped, running = 0, 0.0
    for step in range(1, 801):
        model.train()
        x, y = adding_problem(64, 10, gen)
        loss = ((model(x) - y) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(model.parameters(), 2.0)
        opt.step()
        sched.step()
        clipped += int(norm > 2.0)
        running += loss.item()
        if step % 100 == 0:
            model.eval()
            with torch.no_grad():
                val = ((model(x_val) - y_val) ** 2).mean().item()
            print(f"step {step}: train {running / 100:.4f} val {val:.4f} clipped {clipped} of the last 100 steps")
            clipped, running = 0, 0.0
    return model, opt


if __name__ == "__main__":
    main()
