"""Physics-informed network for a damped oscillator: there are no targets, the loss is the residual of the equation
built from autograd.grad of the output with respect to the input (create_graph=True), plus the initial conditions."""
import torch
import torch.nn as nn

DAMPING, OMEGA2 = 0.4, 4.0


def exact(t):
    w = (OMEGA2 - DAMPING ** 2 / 4) ** 0.5
    return torch.exp(-DAMPING * t / 2) * (torch.cos(w * t) + DAMPING / (2 * w) * torch.sin(w * t))


class PINN(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(),
            nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, 1),
        )

    def forward(self, t):
        return self.net(t - 2.0)


def residual(model, t):
    t = t.requires_grad_(True)
    u = model(t)
    du, = torch.autograd.grad(u, t, torch.ones_like(u), create_graph=True)
    d2u, = torch.autograd.grad(du, t, torch.ones_like(du), create_graph=True)
    return d2u + DAMPING * du + OMEGA2 * u


def initial_conditions(model):
    t0 = torch.zeros(1, 1, requires_grad=True)
    u0 = model(t0)
    v0, = torch.autograd.grad(u0, t0, create_graph=True)
    return (u0 - 1.0).square().sum() + v0.square().sum()


def main():
    torch.manual_seed(123)
    model = PINN()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=950, eta_min=1e-4)
    t_test = torch.linspace(0, 4, 200).unsqueeze(1)
    for step in range(950):
        optimizer.zero_grad()
        t = torch.rand(64, 1) * 4
        physics = residual(model, t).square().mean()
        start = initial_conditions(model)
        loss = 0.1 * physics + 5 * start
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 190 == 189:
            with torch.no_grad():
                error = (model(t_test) - exact(t_test)).square().mean().sqrt().item()
            print(f"step {step + 1}: physics {physics.item():.5f} start {start.item():.6f} rms error {error:.4f}")
    return model, optimizer


if __name__ == "__main__":
    main()
