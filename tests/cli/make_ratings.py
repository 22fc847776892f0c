#!/usr/bin/env python3
"""Prints ratings of a small invented shop: make_ratings.py USERS ITEMS. Users differ in level and in one taste."""
import random
import sys

users, items = map(int, sys.argv[1:])
random.seed(1)
print("user_id,item_id,rating,time")
for user in range(users):
    level, taste = random.gauss(0, 0.5), random.choice([-1, 1])
    for k, item in enumerate(random.sample(range(items), random.randint(12, 30))):
        rating = 3.3 + level + (item % 11 - 5) / 10 + taste * (0.6 if item % 2 else -0.6) + random.gauss(0, 0.5)
        print(f"u{user},i{item},{min(5, max(1, round(rating)))},{1_700_000_000 + user * 10_000 + k * 60}")
