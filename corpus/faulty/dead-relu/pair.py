"""The bias of a rare-object detector's last layer (minus 4.6, a prior of one per cent)
is given to every layer of a digit classifier, and no hidden unit ever switches on."""

import torch
from sklearn import datasets
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

FAULTS = {"dead-relu": "nn.init.constant_(module.bias, -4.6)"}


def digits():
    bunch = datasets.load_digits()
    images = torch.tensor(bunch.data, dtype=torch.float32).div(16)
    images = (images - images.mean()) / images.std()
    return TensorDataset(images, torch.tensor(bunch.target))


def prior_init(module):
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, a=5**0.5)
        nn.init.constant_(module.bias, -4.6)


def zero_init(module):
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, a=5**0.5)
        nn.init.zeros_(module.bias)


def classifier():
    return nn.Sequential(
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def fit(model, epochs=10):
    train_set, val_set = random_split(digits(), [0.8, 0.2])
    train_loader = DataLoader(train_set, batch_size=48, shuffle=True, drop_last=True)
    val_loader = DataLoader(val_set, batch_size=len(val_set))
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)

    for epoch in range(epochs):
        losses = []
        for images, labels in train_loader:
            optimizer.zero_grad(set_to_none=True)
            loss = loss_fn(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        mean_loss = torch.stack(losses).mean()

        with torch.inference_mode():
            images, labels = next(iter(val_loader))
            logits = model(images)
            val_loss = loss_fn(logits, labels)
            hits = (logits.argmax(-1) == labels).sum()
        print(
            f"{epoch:3d} | train {mean_loss:.4f} | val {val_loss:.4f} | {hits}/{len(labels)} right"
        )
    return model, optimizer


def sick():
    torch.manual_seed(1234)
    model = classifier()
    model.apply(prior_init)
    return fit(model)


def well():
    torch.manual_seed(1234)
    model = classifier()
    model.apply(zero_init)
    return fit(model)


if __name__ == "__main__":
    sick()
