"""What tokens cost."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ...benchmark.errors import DataError

_MILLION = 1e6


class Price(BaseModel):
    """Dollars per million tokens of the models that fit a pattern at the endpoints that fit one."""

    model_config = ConfigDict(extra="forbid")

    model: str
    endpoint: str = "*"
    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    batch: float = Field(default=1.0, ge=0)

    def cost(self, sent: int | None, received: int | None, cached: int = 0, batch: bool = False) -> float | None:
        """Dollars for an answer; None where tokens are not counted.

        Args:
            sent: tokens of the prompt.
            received: tokens of the reply.
            cached: how many of those sent are billed as cached.
            batch: whether it came from a batch.
        """
        if sent is None or received is None:
            return None
        cached_price = self.input if self.cached_input is None else self.cached_input
        dollars = (sent - cached) * self.input + cached * cached_price + received * self.output
        return dollars / _MILLION * (self.batch if batch else 1.0)


def find_price(endpoint: str, model: str, own: Path | None = None) -> Price | None:
    """The price of a model at an endpoint, from the user's file and then from ours; None where it is not known.

    Raises:
        DataError: the user's file is no price table.
    """
    host = urlsplit(endpoint).hostname or ""
    entries = [*(_read(own) if own else []), *_read(Path(__file__).parent / "prices.yaml")]
    fitting = (p for p in entries if fnmatchcase(model, p.model) and fnmatchcase(host, p.endpoint))
    return next(fitting, None)


def _read(path: Path) -> list[Price]:
    try:
        return TypeAdapter(list[Price]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"There is no price table {path}; give a yaml file, or leave out --prices.") from error
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is no yaml"
        raise DataError(
            f"{path} is no price table ({reason}); write entries like `- {{model: name, input: 1.0, output: 2.0}}`, "
            "in dollars per million tokens."
        ) from error
