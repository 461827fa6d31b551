import logging
import sys
import warnings

import lightning
import torch
from torch import nn

warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
lightning.seed_everything(0)
callbacks = []
if "adapter" in sys.argv:
    import unstuck.adapters.lightning
    callbacks.append(unstuck.adapters.lightning.Watch())


class Net(lightning.LightningModule):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate
        self.body = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 4))

    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self.body(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate)


x = torch.randn(512, 20)
y = (x @ torch.randn(20, 4)).argmax(1)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 32, shuffle=True)
net = Net(rate=30.0) if "faulty" in sys.argv else Net(rate=0.1)
trainer = lightning.Trainer(
    max_epochs=10, accelerator="cpu", logger=False, enable_checkpointing=False, callbacks=callbacks,
    enable_progress_bar=False, enable_model_summary=False)
trainer.fit(net, data)
print(sum(p.double().sum() for p in net.parameters()).item())
