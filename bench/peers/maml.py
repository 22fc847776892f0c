"""MAML on a multilayer perceptron, as one writes it in PyTorch: a loop over tasks, or the same maths batched over tasks.

    /usr/bin/python3 bench/peers/maml.py --shape fewshot --form batched --order 2

Shapes: fewshot = 5-way 5-shot, 25 support and 75 query rows, 64-64-64-5, cross-entropy; melu = the decision layers of MeLU,
36 support and 10 query rows, 256-64-64-1, squared error. 32 tasks a meta-batch, 5 inner steps, Adam outside.
--adapt times one new task instead: 5 steps on --support rows, then the query rows.
"""
import torch
import torch.nn.functional as F

from common import arguments, measure, setup

SHAPES = {"fewshot": ([64, 64, 64, 5], 25, 75), "melu": ([256, 64, 64, 1], 36, 10)}
TASKS, STEPS, LR = 32, 5, 0.01


def initial(sizes):
    weights = []
    for a, b in zip(sizes, sizes[1:]):
        weights += [torch.randn(b, a) / a**0.5, torch.zeros(b)]
    return [w.requires_grad_() for w in weights]


def forward(x, weights):
    for i in range(0, len(weights), 2):
        x = F.linear(x, weights[i], weights[i + 1])
        if i + 2 < len(weights):
            x = F.relu(x)
    return x


def forward_batched(x, weights):
    for i in range(0, len(weights), 2):
        x = torch.baddbmm(weights[i + 1].unsqueeze(1), x, weights[i].transpose(1, 2))
        if i + 2 < len(weights):
            x = F.relu(x)
    return x


def loss_of(output, y, sum_over_tasks=False):
    if output.shape[-1] == 1:
        return F.mse_loss(output.squeeze(-1), y) * (len(y) if sum_over_tasks else 1)
    return F.cross_entropy(output.flatten(0, -2), y.flatten()) * (len(y) if sum_over_tasks else 1)


def adapt(weights, x, y, order, run=forward, batched=False):
    for _ in range(STEPS):
        loss = loss_of(run(x, weights), y, batched)
        gradients = torch.autograd.grad(loss, weights, create_graph=order == 2)
        weights = [w - LR * g for w, g in zip(weights, gradients)]
    return weights


def meta_batch_loop(weights, optimizer, batch, order):
    optimizer.zero_grad()
    for xs, ys, xq, yq in zip(*batch):
        (loss_of(forward(xq, adapt(weights, xs, ys, order)), yq) / TASKS).backward()
    optimizer.step()


def meta_batch_batched(weights, optimizer, batch, order):
    xs, ys, xq, yq = batch
    optimizer.zero_grad()
    fast = [w.unsqueeze(0).expand(TASKS, *w.shape) for w in weights]
    fast = adapt(fast, xs, ys, order, forward_batched, True)
    loss_of(forward_batched(xq, fast), yq).backward()
    optimizer.step()


def main():
    parser = arguments(__doc__)
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--form", choices=["loop", "batched"], default="loop")
    parser.add_argument("--order", type=int, choices=[1, 2], default=2)
    parser.add_argument("--adapt", action="store_true")
    parser.add_argument("--support", type=int, default=20)
    args = parser.parse_args()
    setup(args)
    sizes, support, query = SHAPES[args.shape]
    if args.adapt:
        support = args.support

    def targets(rows):
        return torch.randn(TASKS, rows) if sizes[-1] == 1 else torch.randint(sizes[-1], (TASKS, rows))

    batch = (torch.randn(TASKS, support, sizes[0]), targets(support), torch.randn(TASKS, query, sizes[0]), targets(query))
    weights = initial(sizes)
    if args.adapt:

        def new_task():
            fast = adapt(weights, batch[0][0], batch[1][0], 1)
            with torch.no_grad():
                forward(batch[2][0], fast)

        measure(f"adapt/{args.shape}", 1, new_task, args.seconds)
        return
    optimizer = torch.optim.Adam(weights, 1e-3)
    step = {"loop": meta_batch_loop, "batched": meta_batch_batched}[args.form]
    measure(f"train/{args.shape}/{args.form}/{args.order}", TASKS, lambda: step(weights, optimizer, batch, args.order), args.seconds)


main()
