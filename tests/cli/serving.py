"""For text tests: a small shop, and servers that run while a script talks to them."""
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time
import urllib.request


def make_shop():
    """events.csv, items.csv, users.csv and log.jsonl: customers who stay with one of four kinds of products."""
    draw = random.Random(5)
    start = 1_600_000_000
    with open("events.csv", "w") as events, open("log.jsonl", "w") as log:
        events.write("event_id,position,time,event,user_id,item_id,price,quantity\n")
        for u in range(200):
            taste = u % 4
            for e in range(draw.randint(4, 12)):
                item = 10 * taste + draw.randint(0, 9) if draw.random() < 0.8 else draw.randint(0, 39)
                at = start + 86400 * e + 60 * u
                if u < 160:
                    events.write(f"e{u}-{e},0,{at},purchase,u{u},i{item},{1 + item},1\n")
                else:
                    log.write(json.dumps({"event_id": f"e{u}-{e}", "timestamp": at, "event": "purchase",
                                          "user_id": f"u{u}", "items": [{"item_id": f"i{item}", "price": 1 + item,
                                                                         "quantity": 1}]}) + "\n")
    with open("items.csv", "w") as items:
        items.write("item_id,colour\n" + "".join(f"i{i},{'red' if i % 2 else 'blue'}\n" for i in range(40)))
    with open("users.csv", "w") as users:
        users.write("user_id,country\n" + "".join(f"u{u},UK\n" for u in range(160)))
    pathlib.Path("mini.toml").write_text("""
problem = "ranking"
[rows]
table = "events"
task  = "user_id"
item  = "item_id"
time  = "time"
event = "event"
[items]
sql  = "select item_id, colour from items"
key  = "item_id"
seen = "include"
[live]
events = { purchase = 1 }
[episode]
query   = 2
support = [0, 5]
shots   = [0, 1, 3]
[learner]
name   = "bayes"
epochs = 2
d      = 8
[report]
metrics   = ["ndcg@10"]
baselines = ["popularity"]
""")


class Server:
    """`fewshop serve` or `fewshop playground` with these arguments, from its first line to stop()."""

    def __init__(self, *arguments, pattern=r"(http://[\d.]+:\d+)"):
        self.out = open("server.txt", "w+")
        self.process = subprocess.Popen(["fewshop", *arguments], stdout=self.out, stderr=self.out)
        begin = time.time()
        while True:
            found = re.search(pattern, self.text())
            if found:
                break
            if self.process.poll() is not None or time.time() - begin > 120:
                raise SystemExit(f"the server did not start:\n{self.text()}")
            time.sleep(0.02)
        self.url = found.group(1)
        self.seconds = time.time() - begin

    def text(self):
        return pathlib.Path("server.txt").read_text()

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read()), dict(answer.headers)

    def loaded(self, name):
        return name in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()

    def variable(self, name):
        """A variable of the environment that the process was last started with; None = it is not there."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/environ").read_text().split("\0"):
            if line.startswith(name + "="):
                return line[len(name) + 1:]
        return None

    def children(self):
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
        return [int(pid) for pid in listed.stdout.split()]

    def stop(self):
        begin = time.time()
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(60)
        assert status == 0, f"status {status}:\n{self.text()}"
        return time.time() - begin


def fewshop(*arguments, status=0):
    done = subprocess.run(["fewshop", *arguments], capture_output=True, text=True)
    assert done.returncode == status, f"{arguments}: status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def is_alive(pid):
    return os.path.exists(f"/proc/{pid}") and "Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]
