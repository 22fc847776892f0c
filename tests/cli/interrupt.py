"""Ctrl-C for the text tests: the program is started and sent SIGINT, at a moment that its test draws anew in every run."""
import os, pathlib, random, signal, sqlite3, subprocess, time

# Before the program has set up what it does on Ctrl-C (a few milliseconds), the signal itself ends it: shells call that
# 130 as well.
STATUS = {130: 130, -signal.SIGINT: 130}


def start(*command):
    return subprocess.Popen(["fewshop", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def interrupt(process):
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    status = STATUS.get(process.returncode, process.returncode)
    assert status in (0, 130), (process.returncode, err)
    if process.returncode == 130:
        assert err.endswith("fewshop: interrupted\n") and out == "", (out, err)
    return status == 130


def run(*command):
    return subprocess.run(["fewshop", *command], capture_output=True, text=True, check=True)
