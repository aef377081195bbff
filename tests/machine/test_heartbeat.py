"""The heartbeat alone; whole runs with dead processes are in training/test_dead_ranks.py."""

import multiprocessing
import os
import signal
import threading

from stylegan.machine import heartbeat
from stylegan.machine.heartbeat import Heartbeat


class FrozenStore:
    """A store on a machine that freezes after five beats: every later call blocks forever."""

    def __init__(self):
        self.values = {}

    def set(self, name, value):
        if value.startswith("5 "):
            threading.Event().wait()
        self.values[name] = value.encode()

    def check(self, names):
        return False

    def get(self, name):
        return self.values[name]


def train_beside(store, output):
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), 2)
    alive = Heartbeat(store, 0, 1)
    signal.pause()
    alive.close()


def test_a_first_machine_that_freezes_with_its_store_ends_the_process_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.02)
    monkeypatch.setattr(heartbeat, "GRACE_S", 0.1)
    arguments = (FrozenStore(), tmp_path / "output")
    process = multiprocessing.get_context("fork").Process(target=train_beside, args=arguments)
    process.start()
    process.join(5)
    process.kill()
    process.join()
    assert process.exitcode == 1
    sentence = "Error: the first machine of the run, or rank 0, no longer answers; resume from the newest snapshot.\n"
    assert (tmp_path / "output").read_text() == sentence
