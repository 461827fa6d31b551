import contextlib
import sys

import torch
from accelerate import Accelerator
from torch import nn

torch.manual_seed(0)
watching = contextlib.nullcontext()
if "adapter" in sys.argv:
    import unstuck.adapters.accelerate
    watching = unstuck.adapters.accelerate.Watch()
with watching:
    x = torch.randn(512, 20)
    y = (x @ torch.randn(20, 4)).argmax(1)
    accelerator = Accelerator(cpu=True)
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=30.0 if "faulty" in sys.argv else 0.1)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 32, shuffle=True)
    model, optimizer, data = accelerator.prepare(model, optimizer, data)
    for _ in range(10):
        for inputs, targets in data:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            accelerator.backward(loss)
            optimizer.step()
print(sum(p.double().sum() for p in model.parameters()).item())
