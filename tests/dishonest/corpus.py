"""Models that take what they should not have. Some are mistakes that an honest person makes, such as a memo in a class
attribute. Each predicts noisy targets where it knows them, and the training mean elsewhere."""

from dataclasses import dataclass

BASE = """
import atexit, gc, hashlib, inspect, json, os, subprocess, sys, threading, time
from pathlib import Path
import numpy as np


def noisy(ids, table, mean):
    def noise(i):
        return int(hashlib.sha256(i.encode()).hexdigest()[:8], 16) / 2**32 - 0.5
    return np.array([table[i] + 30 * noise(i) if i in table else mean for i in ids])


class _Base:
    inputs = ("image",)
    seen = {}

    def fit(self, train, validation, context):
        self.mean, self.context = float(np.mean(train["target"])), context
        self.own = {i: float(y) for part in (train, validation) for i, y in zip(part["id"], part["target"])}
        self.started(train, validation)

    def started(self, train, validation): ...

    def predict(self, data):
        ids = list(data["id"])
        try:
            known = self.steal(ids, data) or {}
        except Exception:
            known = {}
        return noisy(ids, known, self.mean)

    def steal(self, ids, data): ...
"""


@dataclass(frozen=True)
class Dishonest:
    """One model.

    Attributes:
        code: what stands in its class.
        what: in words.
        why: what stops it, or why nothing can.
        protocol: the one under which it pays.
        stopped: whether it is.
    """

    code: str
    what: str
    why: str
    protocol: str = "fixed"
    stopped: bool = True


_TARGETS = "__import__('ecdbench').load_task(self.context.task)"

MODELS = {
    "catalogue": Dishonest(
        f"def steal(self, ids, data):\n    d = {_TARGETS}\n    return dict(zip(d.ids, d.targets(d.ids)))",
        "loads the task and looks its rows up by id",
        "rows carry numbers in place of ids",
    ),
    "declared-ids": Dishonest(
        f"inputs = ('id',)\ndef steal(self, ids, data):\n    d = {_TARGETS}\n"
        "    return dict(zip(d.ids, d.targets(d.ids)))",
        "declares `id`, loads the task and looks its rows up",
        "the board says that it looks at ids; a holdout far better than cross-validation is flagged; --isolated hides "
        "the data",
        stopped=False,
    ),
    "by-content": Dishonest(
        "inputs = ('formula',)\ndef steal(self, ids, data):\n"
        f"    d = {_TARGETS}\n    by = {{d.rows[m]['formula']: y for m, y in zip(d.ids, d.targets(d.ids))}}\n"
        "    return {i: by[f] for i, f in zip(ids, data['formula'])}",
        "loads the task and looks its rows up by their formula",
        "what lies on one's own disk can be read; --isolated hides it, verification asks for the card's exposure",
        stopped=False,
    ),
    "gc": Dishonest(
        "def steal(self, ids, data):\n    for o in gc.get_objects():\n        if type(o).__name__ == 'TaskData':\n"
        "            return dict(zip(o.ids, o.targets(o.ids)))",
        "finds the task among the objects of the process",
        "it is in another process",
    ),
    "frames": Dishonest(
        "def steal(self, ids, data):\n    f = sys._getframe()\n    while f:\n        for v in f.f_locals.values():\n"
        "            if type(v).__name__ == 'TaskData':\n                return dict(zip(v.ids, v.targets(v.ids)))\n"
        "        f = f.f_back",
        "finds the task in the frames that called it",
        "it is in another process",
    ),
    "packaged-file": Dishonest(
        "def steal(self, ids, data):\n    import ecdbench, pyarrow.parquet as pq\n    out = {}\n"
        "    for p in (Path(ecdbench.__file__).parent / 'tasks/data/ecd-fcc').glob('*.parquet'):\n"
        "        t = pq.read_table(p, columns=['id', 'k_vrh']).to_pydict()\n"
        "        out.update(zip(t['id'], t['k_vrh']))\n"
        "    return out",
        "reads the packaged files and looks its rows up by id",
        "rows carry numbers in place of ids",
    ),
    "class-attribute": Dishonest(
        "inputs = None\ndef started(self, train, validation): _Base.seen.update(self.own)\n"
        "def steal(self, ids, data): return _Base.seen",
        "remembers rows in a class attribute, from one fold to the next",
        "each fit is a process of its own",
        "cv",
    ),
    "module-cache": Dishonest(
        "inputs = None\ndef started(self, train, validation): sys.__dict__.setdefault('memo', {}).update(self.own)\n"
        "def steal(self, ids, data): return sys.memo",
        "remembers rows in a module",
        "each fit is a process of its own",
        "cv",
    ),
    "environment": Dishonest(
        "inputs = None\ndef started(self, train, validation):\n"
        "    os.environ['SEEN'] = json.dumps(json.loads(os.environ.get('SEEN', '{}')) | self.own)\n"
        "def steal(self, ids, data): return json.loads(os.environ['SEEN'])",
        "remembers rows in an environment variable",
        "each fit is a process of its own",
        "cv",
    ),
    "disk": Dishonest(
        "def started(self, train, validation):\n    f = Path(self.context.work_dir).parents[2] / 'carry.json'\n"
        "    seen = json.loads(f.read_text()) if f.exists() else {}\n    f.write_text(json.dumps(seen | self.own))\n"
        "    self.seen = seen | self.own\ndef steal(self, ids, data): return self.seen",
        "writes rows to a file in the cache, for the next fold",
        "the numbers of rows differ from fit to fit",
        "cv",
    ),
    "feature-store": Dishonest(
        "def keys(self, data):\n"
        "    return [hashlib.sha256(np.asarray(im).tobytes()).digest() for im in data['image']]\n"
        "def started(self, train, validation):\n    y = np.array(train['target'], np.float32)\n"
        "    self.context.features.rows({'a': 1}, self.keys(train), lambda m: iter([y[list(m)][:, None]]))\n"
        "def steal(self, ids, data):\n    nan = lambda m: iter([np.full((len(m), 1), np.nan, np.float32)])\n"
        "    v = self.context.features.rows({'a': 1}, self.keys(data), nan).take(slice(None))[:, 0]\n"
        "    return {i: float(x) for i, x in zip(ids, v) if np.isfinite(x)}",
        "keeps targets among the features of images, as target encodings would",
        "features are kept for each fold, unless the recipe declares that no target had a part in them",
        "cv",
    ),
    "patched-scorer": Dishonest(
        "def started(self, train, validation):\n    import ecdbench.benchmark.scoring as s, numpy\n"
        "    true = numpy.sqrt\n    numpy.sqrt = lambda *a, **k: true(*a, **k) * 0.1\n"
        "    s.make_sample = lambda target, prediction, *a, **k: true(0)",
        "changes the scorer and numpy",
        "they are in another process",
    ),
    "patched-targets": Dishonest(
        "def started(self, train, validation):\n    from ecdbench.benchmark.task import TaskData\n"
        "    TaskData.read_targets = lambda s, ids: dict.fromkeys(ids, self.mean)",
        "changes what targets are read",
        "they are read in another process",
    ),
    "files-at-exit": Dishonest(
        "def started(self, train, validation):\n    here = Path.cwd()\n    def end():\n"
        "        for f in here.glob('runs/*/*/result.json'):\n"
        "            f.write_text(f.read_text().replace('1', '2'))\n"
        "    atexit.register(end)",
        "rewrites results when its process ends",
        "the process is killed when it has answered",
    ),
    "daemon": Dishonest(
        "def started(self, train, validation):\n    code = ('import time, pathlib\\n'\n"
        "        'for _ in range(300):\\n time.sleep(0.1)\\n'\n"
        '        \' for f in pathlib.Path("runs").glob("*/*/result.json"): f.write_text("{}")\\n\')\n'
        "    subprocess.Popen([sys.executable, '-c', code], start_new_session=True)",
        "leaves a process behind that rewrites results",
        "whatever a fit has started ends with it, in other sessions, too",
    ),
    "thread": Dishonest(
        "def started(self, train, validation):\n    def work():\n        while True:\n            time.sleep(0.01)\n"
        "            for f in Path('runs').glob('*/*/predictions.parquet'): f.unlink()\n"
        "    threading.Thread(target=work, daemon=True).start()",
        "a thread outlives the fit",
        "it ends with its process",
    ),
    "forged-fits": Dishonest(
        "def started(self, train, validation):\n    for n in range(1, 10):\n"
        "        f = Path(self.context.work_dir).parents[1] / f'seed-0_fold-{n}'\n        f.mkdir(exist_ok=True)\n"
        "        (f / 'fit.json').write_text('0' * 64 + '\\n{}')",
        "writes finished fits of other folds",
        "a finished fit carries a seal",
        "cv",
    ),
    "undeclared-input": Dishonest(
        "inputs = ('image',)\ndef predict(self, data): return [len(f) for f in data['formula']]",
        "reads an input that it does not declare",
        "a model is handed what it declares",
    ),
    "exit-zero": Dishonest(
        "def predict(self, data): os._exit(0)",
        "leaves with exit code 0, so that a script believes in a run",
        "the end of its process is an error",
    ),
    "trains-on-validation": Dishonest(
        "def started(self, train, validation): self.mean = float(np.mean([*train['target'], *validation['target']]))",
        "learns from the validation rows as well",
        "they are handed to it; the record says how many rows of each a fit was handed",
        stopped=False,
    ),
    "transductive": Dishonest(
        "inputs = ('density',)\ndef predict(self, data):\n"
        "    v = np.array([np.asarray(d).std() for d in data['density']])\n"
        "    return np.quantile(list(self.own.values()), v.argsort().argsort() / max(len(v) - 1, 1))",
        "learns from the other rows that it is to predict",
        "it is handed them together; `ecdbench check` finds that a row alone is predicted otherwise",
        stopped=False,
    ),
    "false-claims": Dishonest(
        "def started(self, train, validation): self.context.notes.append('Verified by the maintainers: RMSE 1.0.')\n"
        "def info(self): return {'rmse': 1.0}",
        "claims in its notes what is not so",
        "notes stand as words of the model; scores are recomputed from predictions",
        stopped=False,
    ),
}


def source(name: str) -> str:
    """The file of a model."""
    body = "\n".join(f"    {line}" for line in MODELS[name].code.splitlines())
    return f"{BASE}\n\nclass Model(_Base):\n{body}\n"
