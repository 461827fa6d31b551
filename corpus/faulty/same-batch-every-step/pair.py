"""The first batch is fetched once, before the loop; the network learns these twenty-four
pictures by heart and never sees another."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, random_split

FAULTS = {"same-batch-every-step": "next(iter(train_loader))"}

STEPS = 240


class DigitImages(torch.utils.data.Dataset):
    def __init__(self):
        self.bunch = load_digits()

    def __len__(self):
        return len(self.bunch.target)

    def __getitem__(self, index):
        picture = torch.from_numpy(self.bunch.images[index]).float()
        return (picture[None] - 4.9) / 6.0, int(self.bunch.target[index])


def forever(loader):
    while True:
        yield from loader


def conv_net():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.LeakyReLU(0.05),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.LeakyReLU(0.05),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def set_up():
    train_set, test_set = random_split(DigitImages(), (1500, 297))
    train_loader = DataLoader(train_set, batch_size=24, shuffle=True)
    test_images, test_labels = zip(*test_set)
    net = conv_net()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    return train_loader, torch.stack(test_images), torch.tensor(test_labels), net, optimizer


def progress(step, loss, net, images, labels):
    with torch.no_grad():
        logits = net(images)
    held_out = nn.functional.cross_entropy(logits, labels).item()
    accuracy = (logits.argmax(1) == labels).float().mean().item()
    print(f"step {step}: {loss.item():.4f}, held out {held_out:.4f}, accuracy {accuracy:.3f}")


def sick():
    torch.manual_seed(29)
    train_loader, test_images, test_labels, net, optimizer = set_up()
    images, labels = next(iter(train_loader))
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            progress(step, loss, net, test_images, test_labels)
    return net, optimizer


def well():
    torch.manual_seed(29)
    train_loader, test_images, test_labels, net, optimizer = set_up()
    for step, (images, labels) in zip(range(1, STEPS + 1), forever(train_loader)):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            progress(step, loss, net, test_images, test_labels)
    return net, optimizer


if __name__ == "__main__":
    sick()
