"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..service import Budget, Service

TaskOption = Annotated[str, typer.Option("--task", "-t", help="Task, as in ecd-fcc/k_vrh or sfe.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of datasets that are not packaged, such as sfe. [env: ECDBENCH_DATA]"),
]
Json = Annotated[bool, typer.Option("--json", help="Print json, for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no more than the result's place.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A hyper-parameter of the model; repeatable."),
]
Text = Annotated[str, typer.Option(help="Text tier the model sees: none, single, key or all.")]
Channel = Annotated[str | None, typer.Option(help="Density channel: total, spin or deformation.")]
Split = Annotated[str | None, typer.Option(help="Split scheme; the official one by default.")]
Device = Annotated[str, typer.Option(help="cpu, or a torch device such as cuda.")]
# Of models behind a service.
MaxCost = Annotated[
    float | None, typer.Option(min=0, help="For a service: stop before this command passes so many dollars.")
]
MaxRequests = Annotated[
    int | None, typer.Option(min=1, help="For a service: stop after this command has sent so many requests.")
]
Concurrency = Annotated[int, typer.Option(min=1, help="For a service: requests in flight at once.")]
Timeout = Annotated[float, typer.Option(help="For a service: seconds to wait for an answer.")]
Prices = Annotated[
    Path | None, typer.Option(help="For a service: yaml file with your prices, dollars per million tokens.")
]


def service_of(
    max_cost: float | None,
    max_requests: int | None,
    concurrency: int,
    timeout: float,
    prices: Path | None,
    batch: bool = False,
) -> Service:
    """How a service is asked, from a command's options."""
    return Service(None, concurrency, timeout, batch, prices, Budget(max_requests, max_cost))
