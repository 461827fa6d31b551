"""Stochastic weight averaging with torch.optim.swa_utils: after two thirds of the run the rate is held constant on
purpose while an averaged copy collects the weights; update_bn passes the training data once more at the end."""
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset


def conv_block(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU())


def main():
    torch.manual_seed(41)
    d = load_digits()
    x = torch.tensor(d.images, dtype=torch.float32)[:, None] / 16 * 2 - 0.6
    y = torch.tensor(d.target)
    perm = torch.randperm(len(x))
    loader = DataLoader(TensorDataset(x[perm[:1472]], y[perm[:1472]]), batch_size=64, shuffle=True)
    x_test, y_test = x[perm[1472:]], y[perm[1472:]]

    model = nn.Sequential(conv_block(1, 8), nn.MaxPool2d(2), conv_block(8, 16), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                          nn.Linear(64, 10))
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12, eta_min=0.01)
    swa_model = AveragedModel(model)
    swa_start = 12
    swa_scheduler = SWALR(optimizer, swa_lr=0.02, anneal_epochs=2)

    def evaluate(net):
        net.eval()
        with torch.no_grad():
            out = net(x_test)
            return loss_fn(out, y_test).item(), (out.argmax(1) == y_test).float().mean().item()

    for epoch in range(18):
        model.train()
        losses = []
        for inputs, target in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(inputs), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        if epoch >= swa_start:
            swa_model.update_parameters(model)
            swa_scheduler.step()
        else:
            scheduler.step()
        if epoch % 3 == 2:
            print("epoch %d train %.4f test %.4f acc %.3f" % (epoch, sum(losses) / len(losses), *evaluate(model)))
    update_bn(loader, swa_model)
    print("swa test %.4f acc %.3f" % evaluate(swa_model))
    return model, swa_model, optimizer


if __name__ == "__main__":
    main()
