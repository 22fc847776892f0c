"""MeLU as its public PyTorch implementations have it: dense multi-hot inputs, a loop over users.

    /usr/bin/python3 bench/peers/melu.py --order 2

The sizes are those of MovieLens-1M: of an item one of 6 rates, and multi-hot genres (25), directors (2,186) and actors (8,030),
averaged; of a user gender, age, occupation and zip (2, 7, 21, 3,402). Every embedding has 32 numbers; 256-64-64-1 decides. The
inner loop adapts the three linear layers, 5 steps of 0.01; 36 support and 10 query rows, 32 users a batch, Adam outside.
--adapt times one new user instead.

Lee, Im, Jang, Cho, Chung. "MeLU: meta-learned user preference estimator for cold-start recommendation." KDD 2019.
"""
import torch
import torch.nn.functional as F
from torch import nn

from common import arguments, measure, setup

BAGS = [(25, 2), (2186, 1), (8030, 4)]  # entries, how many of them are set in a row
USER = [2, 7, 21, 3402]
RATES, SIZE, TASKS, SUPPORT, QUERY, STEPS, LR = 6, 32, 32, 36, 10, 5, 0.01


class Melu(nn.Module):
    def __init__(self):
        super().__init__()
        self.rate = nn.Embedding(RATES, SIZE)
        self.bags = nn.ModuleList(nn.Linear(n, SIZE, bias=False) for n, _ in BAGS)
        self.user = nn.ModuleList(nn.Embedding(n, SIZE) for n in USER)
        self.layers = nn.ModuleList([nn.Linear(256, 64), nn.Linear(64, 64), nn.Linear(64, 1)])

    def decision(self):
        return [p for layer in self.layers for p in (layer.weight, layer.bias)]

    def forward(self, x, weights):
        parts = [self.rate(x[:, 0].long())]
        at = 1
        for (n, _), bag in zip(BAGS, self.bags):
            hot = x[:, at : at + n].float()
            parts.append(bag(hot) / hot.sum(1, keepdim=True))
            at += n
        for i, table in enumerate(self.user):
            parts.append(table(x[:, at + i].long()))
        h = torch.cat(parts, 1)
        h = F.relu(F.linear(h, weights[0], weights[1]))
        h = F.relu(F.linear(h, weights[2], weights[3]))
        return F.linear(h, weights[4], weights[5]).squeeze(1)


def random_rows(rows, user):
    parts = [torch.randint(RATES, (rows, 1))]
    for n, ones in BAGS:
        hot = torch.zeros(rows, n, dtype=torch.long)
        hot.scatter_(1, torch.randint(n, (rows, ones)), 1)
        parts.append(hot)
    parts.append(user.expand(rows, len(USER)))
    return torch.cat(parts, 1)


def adapt(model, x, y, order):
    weights = model.decision()
    for _ in range(STEPS):
        loss = F.mse_loss(model(x, weights), y)
        gradients = torch.autograd.grad(loss, weights, create_graph=order == 2)
        weights = [w - LR * g for w, g in zip(weights, gradients)]
    return weights


def main():
    parser = arguments(__doc__)
    parser.add_argument("--order", type=int, choices=[1, 2], default=2)
    parser.add_argument("--adapt", action="store_true")
    args = parser.parse_args()
    setup(args)
    model = Melu()
    support = 20 if args.adapt else SUPPORT
    batch = []
    for _ in range(TASKS):
        user = torch.stack([torch.randint(n, ()) for n in USER])
        batch.append((random_rows(support, user), torch.randn(support), random_rows(QUERY, user), torch.randn(QUERY)))

    if args.adapt:
        xs, ys, xq, _ = batch[0]

        def new_user():
            weights = adapt(model, xs, ys, 1)
            with torch.no_grad():
                model(xq, weights)

        measure("adapt/melu-whole", 1, new_user, args.seconds)
        return
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def meta_batch():
        losses = [F.mse_loss(model(xq, adapt(model, xs, ys, args.order)), yq) for xs, ys, xq, yq in batch]
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()

    measure(f"train/melu-whole/loop/{args.order}", TASKS, meta_batch, args.seconds)


main()
