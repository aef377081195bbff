"""A process that dies or hangs ends the whole run soon, with a sentence that names it, and costs no snapshot."""

import os
import re
import signal
import time

from launch import Launch, command
from run_cli import run_cli
from tiny_run import tiny_images

LIMIT_S = 30
SECOND_SNAPSHOT = 8  # its step; the first one is whole by then


def note_and(act):
    """Let `act` happen once, and report its time to the test."""

    def fault(folder):
        (folder / "fault").touch()
        act()

    return fault


def disk_full():
    raise OSError(28, "No space left on device")


kill = note_and(lambda: os.kill(os.getpid(), signal.SIGKILL))
freeze = note_and(lambda: os.kill(os.getpid(), signal.SIGSTOP))
fail = note_and(disk_full)


def in_a_step(fault, folder):
    """Fail between the phases of the generator and those of the discriminator."""
    from stylegan.training import phases

    main = phases.discriminator_main

    def faulty(state, *args):
        if state.step == SECOND_SNAPSHOT - 2:
            fault(folder)
        main(state, *args)

    phases.discriminator_main = faulty


def in_a_snapshot(fault, folder):
    """Fail while rank 0 writes; no other rank writes files."""
    from stylegan.training import loop

    check, sync = loop.check_equal, os.fsync
    writing = []

    def checked(state):
        check(state)
        if state.step == SECOND_SNAPSHOT:
            if not state.world.is_main:
                time.sleep(0.3)
                fault(folder)
            writing.append(fault)

    def faulty(descriptor):
        if writing and "/snapshots/" in os.readlink(f"/proc/self/fd/{descriptor}"):
            writing.pop()(folder)
        sync(descriptor)

    loop.check_equal, os.fsync = checked, faulty


def slow_disk(folder):
    """Rank 0 writes its snapshot slowly, so that another one can die meanwhile."""
    in_a_snapshot(lambda folder: time.sleep(1), folder)


def on_another_machine(folder):
    os.environ.pop("TORCHELASTIC_RUN_ID")  # no common launcher, so it must not be killed by its number


# name -> what rank 0 does, what rank 1 does, who of them ends with which code, what the survivor says
CASES = {
    "rank 1 killed in a step": ([], [(in_a_step, kill)], (1, -9), r"rank 1 \(process \d+ on .*\) died"),
    "rank 0 killed in a step": ([(in_a_step, kill)], [], (-9, 1), r"rank 0 \(process \d+ on .*\) died"),
    "rank 1 killed in a snapshot": ([slow_disk], [(in_a_snapshot, kill)], (1, -9), r"rank 1 \(.*\) died"),
    "rank 0 killed in a snapshot": ([(in_a_snapshot, kill)], [], (-9, 1), r"rank 0 \(.*\) died"),
    "rank 1 frozen": ([], [(in_a_step, freeze)], (1, -9), r"rank 1 \(.*\) has not answered for 15 s"),
    "rank 1 fails": ([], [(in_a_step, fail)], (1, 1), r"rank 1 \(on .*\) failed: .*No space left on device"),
    "rank 1 on a lost machine": (
        [on_another_machine],
        [on_another_machine, (in_a_step, freeze)],
        (1, None),
        r"rank 1 \(.*\) has not answered for 15 s",
    ),
}


def faulty_run(rank, case, folder, *arguments):
    for fault in CASES[case][rank]:
        if isinstance(fault, tuple):
            fault[0](fault[1], folder)
        else:
            fault(folder)
    command(rank, *arguments)


def ended(case, launch):
    """Return whether the processes that must notice the fault have ended."""
    launch.look()
    return {rank for rank, code in enumerate(CASES[case][2]) if code == 1} <= launch.ended


def test_a_dead_process_ends_the_run_within_thirty_seconds(tmp_path, capsys):
    images = tiny_images(tmp_path / "images")
    options = ["train", "--data", images, "--cfg", "tiny16", "--device", "cpu", "--tick", "0.032", "--snap", "1"]
    launches = {}
    for i, case in enumerate(CASES):
        folder = tmp_path / str(i)
        launches[case] = Launch(2, folder, faulty_run, case, folder, *options, "--outdir", folder / "runs")
    seconds = dict.fromkeys(CASES, 0.0)  # from the fault to the end of the survivors
    last = time.monotonic()
    while not all(ended(case, launch) for case, launch in launches.items()):
        time.sleep(0.05)
        now = time.monotonic()
        for case, launch in launches.items():
            if (launch.folder / "fault").exists() and not ended(case, launch):
                seconds[case] += min(now - last, 1)  # more is a pause of the machine
                assert seconds[case] < LIMIT_S, (case, launch.output(0), launch.output(1))
        last = now
    for case, launch in launches.items():
        codes, sentence = CASES[case][2:]
        assert [c for c, e in zip(launch.wait(0), codes, strict=True) if e is not None] == [
            e for e in codes if e is not None
        ]
        survivor = codes.index(1)
        output = launch.output(survivor)
        assert re.search(rf"Error: {sentence}[^\n]*; resume from the newest snapshot\.\n", output), (case, output)
        assert "Traceback" not in output
        (run,) = (launch.folder / "runs").iterdir()
        assert run_cli("train", "--resume", run, "--kimg", "0.072").code == 0, case
    with capsys.disabled():
        for case, s in seconds.items():
            print(f"\n  {case}: ended after {s:.1f} s", end="")
        print(f"\n  {len(seconds)} dead-rank cases, all within {LIMIT_S} s")
    assert len(seconds) >= 6
    assert max(seconds.values()) < LIMIT_S
