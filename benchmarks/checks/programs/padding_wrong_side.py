"""Images are padded at the left and top, and the crop takes the corner of the padding."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(14)
digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
classes = torch.tensor(digits.target)


class Cropper(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 12, 3)
        self.fc = nn.Linear(12 * 6 * 6, 10)

    def forward(self, im):
        wide = F.pad(im, (8, 0, 8, 0))
        crop = wide[:, :, :8, :8]  # fault
        return self.fc(F.relu(self.conv(crop)).flatten(1))


net = Cropper()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(300):
    pick = torch.randint(0, len(images), (64,))
    loss = F.cross_entropy(net(images[pick]), classes[pick])
    opt.zero_grad()
    loss.backward()
    opt.step()
