import sys

import torch
from ignite.engine import create_supervised_trainer
from torch import nn

torch.manual_seed(0)
x = torch.randn(512, 20)
y = (x @ torch.randn(20, 4)).argmax(1)
model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 4))
if "faulty" in sys.argv:
    optimizer = torch.optim.SGD(model.parameters(), lr=30.0)
else:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
trainer = create_supervised_trainer(model, optimizer, nn.CrossEntropyLoss())
if "adapter" in sys.argv:
    import unstuck.adapters.ignite
    unstuck.adapters.ignite.Watch().attach(trainer)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 32, shuffle=True)
trainer.run(data, max_epochs=10)
print(sum(p.double().sum() for p in model.parameters()).item())
