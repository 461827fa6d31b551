import sys

import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn

torch.manual_seed(0)
callbacks = []
if "adapter" in sys.argv:
    import unstuck.adapters.skorch
    callbacks.append(unstuck.adapters.skorch.Watch())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, x):
        return self.body(x)


rng = np.random.default_rng(0)
x = rng.normal(size=(512, 20)).astype("float32")
y = (x @ rng.normal(size=(20, 4))).argmax(1)
common = dict(criterion=nn.CrossEntropyLoss, max_epochs=10, batch_size=32, verbose=0,
              iterator_train__shuffle=True, train_split=None, callbacks=callbacks)
if "faulty" in sys.argv:
    net = NeuralNetClassifier(Net, lr=30.0, **common)
else:
    net = NeuralNetClassifier(Net, lr=0.1, **common)
net.fit(x, y)
print(sum(p.double().sum() for p in net.module_.parameters()).item())
