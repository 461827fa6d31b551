"""Programs that do unusual things to the interpreter, the process or the disk while they train."""

from __future__ import annotations

TRAIN = """
import os, sys
import stage
import torch
from torch import nn

torch.manual_seed(0)
inputs, labels = torch.randn(64, 8), torch.randint(0, 3, (64,))


def train(steps=40):
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        stage.stepped()
    print(f"{loss.item():.9f}")
    return model
"""

# Each follows TRAIN. Compared with the same program alone: what it prints, what it has trained, how
# it ends.
ODD = {
    "fifty models": "stage.finish([train(4) for _ in range(50)])",
    "segmentation fault": "import ctypes\ntrain()\nctypes.string_at(0)",
    "os.abort": "train()\nos.abort()",
    "os._exit": "train()\nsys.stdout.flush()\nos._exit(7)",
    "os.execv": """
train()
sys.stdout.flush()
os.execv(sys.executable, [sys.executable, '-c', 'print("another"); raise SystemExit(5)'])
""",
    "a daemon": """
model = train()
stage.finish(model)
sys.stdout.flush()
if os.fork():
    os.wait()
    sys.exit(4)
os.setsid()
if os.fork():
    os._exit(0)
os.closerange(0, 256)
kept = open('daemon.txt', 'w')
train()
kept.write('done')
kept.close()
os._exit(0)
""",
    "descriptors closed": """
train(5)
os.closerange(3, 256)
with open('mine.txt', 'w') as mine, open('mine too.txt', 'w') as too:
    mine.write('my own words')
    mine.flush()
    stage.finish(train())
    import time
    time.sleep(0.3)
    train()
    too.write('more')
print(open('mine.txt').read(), open('mine too.txt').read())
""",
    "standard streams closed": "for d in (0, 1, 2): os.close(d)\nstage.finish(train())",
    "folder gone": """
os.mkdir('gone')
os.chdir('gone')
os.rmdir(os.getcwd())
stage.finish(train())
""",
    "modules forgotten": """
for name in list(sys.modules):
    if name.partition('.')[0] in ('unstuck', 'json', 'threading', 'traceback', 'os', 'stage'):
        del sys.modules[name]
stage.finish(train())
""",
    "builtins replaced": """
import builtins
seen = []
def noted(name):
    original = getattr(builtins, name)
    def function(*args, **kwargs):
        seen.append((name, args[0] if args and type(args[0]) is str else ''))
        return original(*args, **kwargs)
    setattr(builtins, name, function)
for name in ('open', 'print', '__import__', 'isinstance', 'len'):
    noted(name)
model = train()
print(sorted(set(kind for kind, _ in seen)))
print([what for kind, what in seen if kind == 'open'])
stage.finish(model)
""",
    "traced": """
calls = set()
def trace(frame, event, argument):
    if frame.f_code.co_filename == __file__:
        calls.add((event, frame.f_code.co_name))
    return trace
sys.settrace(trace)
sys.setprofile(trace)
model = train()
print(sys.gettrace() is trace, sys.getprofile() is trace)
sys.settrace(None)
sys.setprofile(None)
print(sorted(calls))
stage.finish(model)
""",
    "little recursion": """
sys.setrecursionlimit(60)
stage.finish(train())
print(sys.getrecursionlimit())
""",
    "no limit to recursion": """
sys.setrecursionlimit(2**31 - 1)
stage.finish(train())
print(sys.getrecursionlimit())
""",
    "recursion to the limit": """
def deep(depth):
    try:
        return deep(depth + 1)
    except RecursionError:
        return depth
model = train(7)
def deeper(count):
    return deeper(count - 1) if count else train(9)
stage.finish(model, deeper(300))
print(sys.getrecursionlimit())
""",
    "no collector": """
import gc
gc.disable()
gc.freeze()
stage.finish(train())
print(gc.isenabled())
""",
    "a thread trains": """
import threading
made = []
thread = threading.Thread(target=lambda: made.append(train()))
thread.start()
thread.join()
stage.finish(made)
""",
    "threads train": """
import threading
made = {}
lock = threading.Lock()
def one(number):
    with lock:
        torch.manual_seed(number)
        made[number] = train(6)
threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
    thread.join()
stage.finish(made)
""",
    "a fault in a thread": """
import threading
def one():
    train()
    raise ValueError('of a thread')
thread = threading.Thread(target=one)
thread.start()
thread.join()
""",
    "hooks for errors": """
import threading
told = []
sys.unraisablehook = lambda unraisable: told.append(('unraisable', str(unraisable.exc_value)))
threading.excepthook = lambda args: told.append(('thread', str(args.exc_value)))
sys.excepthook = lambda kind, error, trace: (told.append(('main', str(error))), print(told))
class Falls:
    def __del__(self):
        raise ValueError('fell')
Falls()
threading.Thread(target=int, args='x').start()
stage.finish(train())
raise KeyError('of the program')
""",
    "warnings are errors": """
import warnings
warnings.simplefilter('error')
stage.finish(train())
""",
    "time stands still": """
import time
time.time = time.monotonic = time.perf_counter = lambda: 0.0
stage.finish(train())
""",
    "no path": """
sys.path.clear()
sys.path_importer_cache.clear()
os.environ.clear()
stage.finish(train())
""",
    "streams replaced": """
import io
out, err = sys.stdout, sys.stderr
sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
model = train()
caught = sys.stdout.getvalue(), sys.stderr.getvalue()
sys.stdout, sys.stderr = out, err
print(caught)
stage.finish(model)
""",
    "no descriptor left": """
import resource
train(1)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
model = train()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
stage.finish(model)
""",
    "another device by default": """
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
torch.set_default_device('meta')
torch.set_default_dtype(torch.float64)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(30):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
torch.set_default_device('cpu')
print(loss.item())
stage.finish(model, optimizer)
""",
    "deterministic": "torch.use_deterministic_algorithms(True)\nstage.finish(train())",
    "a fork trains, too": """
model = train(9)
sys.stdout.flush()
child = os.fork()
if not child:
    train(9)
    sys.stdout.flush()
    os._exit(6)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
stage.finish(model, train(9))
""",
    "exit in a farewell": """
import atexit
atexit.register(lambda: (print('farewell'), sys.stdout.flush(), os._exit(9)))
stage.finish(train())
""",
}
