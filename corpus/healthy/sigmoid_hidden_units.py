"""A net of the old school: one hidden layer of sigmoid units, one-hot targets, half the summed squared error and plain
SGD at rate 8. It learns fine, for it is shallow."""
import numpy as np
import torch
from sklearn.datasets import load_iris

LEARNING_RATE = 8.0


class NeuralNetwork(torch.nn.Module):
    def __init__(self, layer_sizes):
        super().__init__()
        self.hidden = torch.nn.Linear(layer_sizes[0], layer_sizes[1])
        self.output = torch.nn.Linear(layer_sizes[1], layer_sizes[2])
        for layer in (self.hidden, self.output):
            torch.nn.init.xavier_normal_(layer.weight)
            torch.nn.init.zeros_(layer.bias)

    def forward(self, x):
        a1 = torch.sigmoid(self.hidden(x))
        return torch.sigmoid(self.output(a1))


def cost(output, target):
    """Quadratic cost, averaged over samples and outputs."""
    return 0.5 * ((output - target) ** 2).mean()


def main():
    torch.manual_seed(3)
    iris = load_iris()
    data, index = np.unique(iris.data, axis=0, return_index=True)  # the table holds one flower twice
    inputs = torch.tensor(data, dtype=torch.float32)
    inputs = (inputs - inputs.mean(dim=0)) / inputs.std(dim=0)
    labels = torch.tensor(iris.target[index])
    one_hot = torch.eye(3)[labels]
    shuffled = torch.randperm(len(labels))
    training, testing = shuffled[:110], shuffled[110:]

    network = NeuralNetwork([4, 8, 3])
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    for epoch in range(90):
        order = training[torch.randperm(110)]
        for mini_batch in order.split(10):
            optimizer.zero_grad()
            loss = cost(network(inputs[mini_batch]), one_hot[mini_batch])
            loss.backward()
            optimizer.step()
        if epoch % 10 == 9:
            with torch.no_grad():
                out = network(inputs[testing])
                right = int((out.argmax(1) == labels[testing]).sum())
                print(f"Epoch {epoch + 1}: cost {cost(network(inputs[training]), one_hot[training]).item():.5f} "
                      f"test cost {cost(out, one_hot[testing]).item():.5f} {right} / {len(testing)}")
    return network, optimizer


if __name__ == "__main__":
    main()
