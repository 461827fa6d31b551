"""The target network is a second name for the network itself: copying the weights over does nothing."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

FAULTS = {"target-network-stuck": "policy_net"}
LENGTH = 8


def see(place):
    return torch.eye(LENGTH)[place]


def experience(number, generator):
    place = torch.randint(LENGTH, (number,), generator=generator)
    move = torch.randint(3, (number,), generator=generator)
    after = (place + move - 1) % LENGTH
    reward = (after == 3).float() - 0.1 * (move != 1).float()
    return place, move, reward, after


def run(same):
    torch.manual_seed(2)
    generator = torch.Generator().manual_seed(3)
    policy_net = nn.Sequential(nn.Linear(LENGTH, 32), nn.ReLU(), nn.Linear(32, 3))
    if same:
        target_net = policy_net
    else:
        target_net = copy.deepcopy(policy_net)
    optimizer = torch.optim.RMSprop(policy_net.parameters(), lr=1e-3)
    for update in range(500):
        place, move, reward, after = experience(40, generator)
        action_values = policy_net(see(place)).gather(1, move.view(-1, 1)).view(-1)
        with torch.no_grad():
            next_values = target_net(see(after)).amax(1)
        expected = reward + 0.8 * next_values
        loss = F.mse_loss(action_values, expected)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if update % 25 == 24:
            target_net.load_state_dict(policy_net.state_dict())
        if update % 100 == 99:
            print(update + 1, loss.item())
    return policy_net, target_net, optimizer


def sick():
    return run(same=True)


def well():
    return run(same=False)


if __name__ == "__main__":
    sick()
