"""Trains with torch.func: grad_and_value of a pure loss function over a dict of parameters, updates by hand. Neither
backward nor an optimizer is ever called."""
import torch
import torch.nn as nn
from sklearn.datasets import make_circles
from torch.func import functional_call, grad_and_value


def main():
    torch.manual_seed(80)
    pts, cls = make_circles(1500, noise=0.08, factor=0.5, random_state=80)
    pts = torch.tensor((pts - pts.mean(0)) / pts.std(0), dtype=torch.float32)
    cls = torch.tensor(cls, dtype=torch.float32)
    x, y, x_val, y_val = pts[:1100], cls[:1100], pts[1100:], cls[1100:]

    net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 1), nn.Flatten(0))
    params = {k: v.detach().clone() for k, v in net.named_parameters()}
    velocity = {k: torch.zeros_like(v) for k, v in params.items()}

    def loss_fn(p, xb, yb):
        logits = functional_call(net, p, (xb,))
        return nn.functional.binary_cross_entropy_with_logits(logits, yb)

    step_fn = grad_and_value(loss_fn)
    lr, mu = 0.1, 0.9
    for step in range(500):
        idx = torch.randint(0, len(x), (64,))
        grads, loss = step_fn(params, x[idx], y[idx])
        velocity = {k: mu * velocity[k] + grads[k] for k in params}
        params = {k: params[k] - lr * velocity[k] for k in params}
        if step % 100 == 99:
            lr *= 0.6
            logits = functional_call(net, params, (x_val,))
            acc = ((logits > 0).float() == y_val).float().mean().item()
            print(f"step {step + 1}: loss {loss.item():.4f} val {loss_fn(params, x_val, y_val).item():.4f} acc {acc:.3f}")
    net.load_state_dict(params)
    return net


if __name__ == "__main__":
    main()
