"""Open hostile files in a process of its own, and print what happened as JSON.

python hostile_child.py ours     every file through our reader, under an audit hook
python hostile_child.py stock    the live files through pickle and torch.load, in the working folder, with small limits
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import resource
import shutil
import sys
import time
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from hostile_pickles import CODE, Case, hostile, mutated, truncated, valid

import stylegan.checkpoints.pickle_vm as vm
from stylegan.errors import PickleError

FORBIDDEN = ("exec", "compile", "import", "subprocess.", "os.", "socket.", "ctypes.", "marshal.", "pickle.", "code.")


def read(case: Case) -> Any:
    """Open a file with our reader."""
    return vm._read(case.data, vm._torch if case.torch else vm._pickle, case.limits)


def refusing(error: PickleError) -> str:
    """Return the name of the function that refused a file."""
    while isinstance(error.__cause__, PickleError):
        error = error.__cause__
    trace = error.__traceback__
    assert trace is not None
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_name


def outcome(case: Case) -> tuple[str, str]:
    """Return what became of a file: "loaded", "refused" by which guard, or another error."""
    try:
        read(case)
    except PickleError as error:
        message = str(error)
        if not message.endswith("; nothing was run.") or len(message) > 600 or "\n" in message:
            return "message", message
        return "refused", refusing(error)
    except Exception as error:
        return "crashed", f"{type(error).__name__}: {error}"
    return "loaded", ""


def resident_mb(kind: str) -> float:
    """Return the resident memory, now ("VmRSS") or at its peak ("VmHWM"); elsewhere than on Linux the peak."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/status").read_text().partition(f"{kind}:")[2].split()[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def ours() -> dict[str, Any]:
    cases = [*valid().values(), *hostile(), *truncated(), *mutated()]
    for case in valid().values():
        read(case)  # so that what the reader itself imports is loaded
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    start = resident_mb("VmRSS")
    events: list[tuple[str, str, str]] = []
    results: list[tuple[str, str, str, float]] = []
    opened, name = False, ""

    def hook(event: str, values: tuple) -> None:
        writes = event == "open" and (not isinstance(values[1], str) or set(values[1]) & set("wax+"))
        if not opened and (writes or event.startswith(FORBIDDEN)):
            events.append((name, event, str(values)[:200]))

    sys.addaudithook(hook)
    modules = set(sys.modules)
    for case in cases:
        name = case.name
        begin = time.thread_time()
        kind, detail = outcome(case)
        results.append((case.name, kind, detail, time.thread_time() - begin))
    mb, loaded, found = resident_mb("VmHWM") - start, sorted(set(sys.modules) - modules), list(events)
    compile("None", "control", "eval")
    opened = True
    return {"results": results, "events": found, "modules": loaded, "mb": mb, "control": events[len(found) :]}


def stock() -> dict[str, Any]:
    """Return which live files touched a file. The working folder must be a temporary one."""
    for kind, amount in ((resource.RLIMIT_CPU, 60), (resource.RLIMIT_FSIZE, 1 << 20), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (amount, amount))
    warnings.simplefilter("ignore")
    sys.path.insert(0, ".")
    sys.modules.update(_official_modules())
    touched = {}
    for case in [case for case in hostile() if case.live]:
        for n in range(4):
            Path(f"payload_{n}.py").write_text(CODE)
            sys.modules.pop(f"payload_{n}", None)
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            if case.torch:
                torch.load(io.BytesIO(case.data), weights_only=False)
            else:
                pickle.loads(case.data)
        found = [path for path in Path().iterdir() if path.name.startswith("touched")]
        touched[case.name] = bool(found)
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    return touched


def _official_modules() -> dict[str, Any]:
    """Return modules whose reader runs `module_src`, as that of the official tools does."""
    parent, module = ModuleType("torch_utils"), ModuleType("torch_utils.persistence")
    exec("def _reconstruct_persistent_obj(meta): exec(meta['module_src'], {})", module.__dict__)
    return {"torch_utils": parent, "torch_utils.persistence": module}


if __name__ == "__main__":
    print(json.dumps({"ours": ours, "stock": stock}[sys.argv[1]]()))
