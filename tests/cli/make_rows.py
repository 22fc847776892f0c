#!/usr/bin/env python3
"""Writes a headed CSV of rows to standard output: make_rows.py TASKS PROBLEM [SEED].

Tasks share how the target follows x and a word; each has a level of its own, so that adapting helps.
"""
import math
import random
import sys

tasks, problem = int(sys.argv[1]), sys.argv[2]
draw = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
print("shop,x,colour,target")
for t in range(tasks):
    level = draw.gauss(0, 1.5)
    for _ in range(draw.randint(20, 30)):
        x, colour = draw.gauss(0, 1), draw.choice(["red", "green", "blue"])
        eta = level + x + (0.8 if colour == "red" else 0)
        if problem == "binary":
            target = "yes" if draw.random() < 1 / (1 + math.exp(-eta)) else "no"
        elif problem == "count":
            # Knuth's draw of a poisson.
            target, product, least = -1, 1.0, math.exp(-math.exp(min(3, 0.5 * eta)))
            while product > least:
                product *= draw.random()
                target += 1
            target = max(0, target)
        elif problem == "regression":
            target = f"{100 + 10 * (eta + draw.gauss(0, 0.7)):.3f}"
        else:
            target = ["bad", "fair", "good"][sum(eta + draw.gauss(0, 0.7) > cut for cut in (-0.8, 0.8))]
        print(f"s{t},{x:.4f},{colour},{target}")
