"""The certificates that connections are checked against."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import EcdbenchError

_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def check_certificates() -> None:
    """Before a connection is made, since the libraries do not say which file is missing.

    Raises:
        EcdbenchError: a variable names certificates that are not there.
    """
    for name in _VARIABLES:
        place = os.environ.get(name)
        if place and not Path(place).exists():
            raise EcdbenchError(f"{name} names {place}, which is not there; correct the variable, or unset it.")
