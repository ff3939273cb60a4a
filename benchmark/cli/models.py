"""`ecdbench models`."""

from __future__ import annotations

import inspect
import json
from typing import Any

from ..resolve import registered
from .output import print_table, say


def list_models(as_json: bool) -> None:
    """Print the registered models. Their modules are imported, not what they need to run."""
    rows = [_describe(name, point) for name, point in registered().items()]
    if as_json:
        say(json.dumps(rows, indent=1))
        return
    table = [[r["name"], r["looks_at"], r["extra"] or "", r["what"], r["parameters"]] for r in rows]
    caption = "Parameters are set with --set NAME=VALUE. Your own model: ecdbench evaluate my_model.py --task TASK"
    print_table(["model", "looks at", "extra", "what", "parameters"], table, caption=caption)


def _describe(name: str, point: Any) -> dict[str, Any]:
    try:
        target = point.load()
    except Exception as error:  # noqa: BLE001 - another package's model must not hide the rest
        return {
            "name": name,
            "looks_at": "",
            "extra": None,
            "what": f"cannot be imported: {error}",
            "parameters": "",
        }
    parameters = ", ".join(str(p) for p in inspect.signature(target).parameters.values())
    inputs = getattr(target, "inputs", None)
    return {
        "name": name,
        "looks_at": "not stated" if inputs is None else " + ".join(inputs) or "nothing",
        "extra": getattr(target, "extra", None),
        "what": " ".join((inspect.getdoc(target) or "").split("\n\n")[0].split()).partition(":")[0],
        "parameters": parameters.replace("'", ""),
    }
