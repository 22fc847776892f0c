"""MAML by a loop over tasks on sinusoid regression, from given starting weights and a given stream of tasks.

    /usr/bin/python3 bench/peers/sinusoid.py FOLDER

Reads FOLDER/problem.json:

    steps        inner steps of training
    inner_lr     their step size
    order        1 or 2
    lr           list: the step size of Adam in every outer step
    beta1, beta2, epsilon     of Adam
    threads      (optional, 1)
    record       the first so many outer steps are recorded (10)
    layers       number of dense layers
    test_steps   list of numbers of inner steps to test with
and the arrays (numpy .npy, float32 or float64, which is what is computed in)
    w0.npy [out, in], b0.npy [out], w1.npy ...      starting weights; ReLU between the layers
    support_x.npy, support_y.npy [outer steps, tasks, K], query_x.npy, query_y.npy [outer steps, tasks, Q]
    test_support_x.npy ...                          (optional) the same of test tasks, [tasks, K] and [tasks, Q]

Losses are squared errors, averaged over rows and tasks. Writes FOLDER/peer.json:

    losses       query loss of the meta-batch in each recorded outer step, before its update
    test_errors  {"1": mean squared error over all test query rows after 1 inner step, ...}
and FOLDER/peer_w0.npy ... peer_b0.npy ...: the weights after the recorded steps.

Finn, Abbeel, Levine. "Model-agnostic meta-learning for fast adaptation of deep networks." ICML 2017, section 5.1.
"""
import json
import pathlib
import sys

import numpy
import torch
import torch.nn.functional as F


def forward(x, weights):
    h = x.unsqueeze(1)
    for i in range(0, len(weights), 2):
        h = F.linear(h, weights[i], weights[i + 1])
        if i + 2 < len(weights):
            h = F.relu(h)
    return h.squeeze(1)


def adapt(weights, x, y, steps, lr, order):
    for _ in range(steps):
        gradients = torch.autograd.grad(F.mse_loss(forward(x, weights), y), weights, create_graph=order == 2)
        weights = [w - lr * g for w, g in zip(weights, gradients)]
    return weights


def main():
    folder = pathlib.Path(sys.argv[1])
    problem = json.loads((folder / "problem.json").read_text())
    torch.set_num_threads(problem.get("threads", 1))

    def array(name):
        return torch.from_numpy(numpy.load(folder / f"{name}.npy"))

    names = [f"{kind}{layer}" for layer in range(problem["layers"]) for kind in "wb"]
    weights = [array(name).clone().requires_grad_() for name in names]
    stream = [array(name) for name in ("support_x", "support_y", "query_x", "query_y")]
    optimizer = torch.optim.Adam(weights, betas=(problem["beta1"], problem["beta2"]), eps=problem["epsilon"])
    losses = []
    for step, batch in enumerate(zip(*stream)):
        for group in optimizer.param_groups:
            group["lr"] = problem["lr"][step]
        tasks = len(batch[0])
        optimizer.zero_grad()
        total = 0.0
        for xs, ys, xq, yq in zip(*batch):
            fast = adapt(weights, xs, ys, problem["steps"], problem["inner_lr"], problem["order"])
            loss = F.mse_loss(forward(xq, fast), yq) / tasks
            loss.backward()
            total += loss.item()
        optimizer.step()
        if step < problem["record"]:
            losses.append(total)
        if step + 1 == min(problem["record"], len(stream[0])):
            for name, weight in zip(names, weights):
                numpy.save(folder / f"peer_{name}.npy", weight.detach().numpy())

    errors = {}
    if (folder / "test_support_x.npy").exists():
        test = [array("test_" + name) for name in ("support_x", "support_y", "query_x", "query_y")]
        for steps in problem["test_steps"]:
            sum_of_errors = 0.0
            for xs, ys, xq, yq in zip(*test):
                fast = adapt(weights, xs, ys, steps, problem["inner_lr"], 1)
                with torch.no_grad():
                    sum_of_errors += F.mse_loss(forward(xq, fast), yq).item()
            errors[str(steps)] = sum_of_errors / len(test[0])
    (folder / "peer.json").write_text(json.dumps({"losses": losses, "test_errors": errors}))


main()
