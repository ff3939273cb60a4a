"""The Materials Project as a source: its property columns, its client with retries, and one meaning per error."""

from __future__ import annotations

import logging
import math
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from ...benchmark.credentials import remember_credential
from ...benchmark.errors import DataError, EcdbenchError, MissingExtraError
from ..datasets.mp_fcc import PROPERTIES
from .crystal import BROKEN_DENSITY, BusyError, Crystal, CrystalError
from .densities import READ_ERRORS, Volume, check_volume, volume_from_chgcar

# The 25 properties of the paper. Its `k_*` and `g_*` are `bulk_modulus` and `shear_modulus` in today's schema.
KINDS = {column.name: column.kind for column in PROPERTIES}
_NESTED = {
    f"{letter}_{average}": (field, average)
    for letter, field in (("k", "bulk_modulus"), ("g", "shear_modulus"))
    for average in ("voigt", "reuss", "vrh")
}
# The fields requested for each crystal.
FIELDS = [
    "material_id",
    "formula_pretty",
    "symmetry",
    "bulk_modulus",
    "shear_modulus",
    *(name for name in KINDS if name not in _NESTED),
]

_BUCKET = "materialsproject-parsed"
_KEY_LENGTH = 32
_STATIC_CALCULATIONS = ("GGA Static", "GGA+U Static")
_GET_A_KEY = "get one at https://materialsproject.org/api"
_TIMEOUT = 60.0
_MAX_PAUSE = 60
_Result = TypeVar("_Result")
_thread = threading.local()


class KeyRejectedError(EcdbenchError):
    """The API key is missing, malformed, or not accepted by the Materials Project."""


def read_key(file: Path | None) -> SecretStr:
    """The user's API key, from a file or from `MP_API_KEY`.

    Raises:
        KeyRejectedError: there is none, or it is malformed.
    """
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise KeyRejectedError(
                f"The key cannot be read from {file} ({type(error).__name__}); give a text file that holds only it."
            ) from None
        where = str(file)
    else:
        text, where = os.environ.get("MP_API_KEY", ""), "MP_API_KEY"
    key = text.strip()
    if not key:
        raise KeyRejectedError(
            f"{where} holds no key for the Materials Project; {_GET_A_KEY}, then set MP_API_KEY or give --api-key-file."
        )
    if len(key) != _KEY_LENGTH or not key.isalnum():
        raise KeyRejectedError(
            f"{where} does not hold a Materials Project key: it has {len(key)} characters, but a key has {_KEY_LENGTH} "
            f"letters and digits; {_GET_A_KEY}."
        )
    remember_credential(key)
    return SecretStr(key)


def flatten(document: Mapping[str, Any]) -> dict[str, float | int | None]:
    """The 25 values of a summary document under the paper's names; None where unknown."""
    return {name: _number(_field(document, name), kind) for name, kind in KINDS.items()}


def _field(document: Mapping[str, Any], name: str) -> Any:
    if name not in _NESTED:
        return document.get(name)
    field, average = _NESTED[name]
    return (document.get(field) or {}).get(average)


def _number(value: Any, kind: str) -> float | int | None:
    if value is None or not math.isfinite(float(value)):
        return None
    return int(value) if kind == "integer" else float(value)


@dataclass(frozen=True)
class MaterialsProject:
    """The Materials Project as a source of densities.

    Attributes:
        key: the user's API key.
        attempts: how often a request to a busy server is sent, with exponential backoff.
        pause: seconds before the second attempt; doubles each time, up to a minute.
    """

    key: SecretStr
    attempts: int = 6
    pause: float = 1.0

    def density(self, crystal: Crystal) -> Volume:
        """Download the density of the latest static calculation.

        Raises:
            CrystalError: there is no static calculation or no file, or the file is broken.
            BusyError: the server did not answer at any attempt.
            KeyRejectedError: the key is not accepted.
        """
        return self.with_retries(lambda client: _download_density(client, crystal.id))

    def version(self, crystal: Crystal) -> str:
        """Constant: a density that was downloaded is not requested again."""
        return "materials project"

    def with_retries(self, request: Callable[[Any], _Result]) -> _Result:
        """Call `request` with the client; retry with backoff while the server is busy.

        Raises:
            CrystalError, BusyError, KeyRejectedError: as for `density`.
        """
        import tenacity

        def is_worth_retrying(error: BaseException) -> bool:
            return isinstance(error, BusyError) or (isinstance(error, CrystalError) and error.kind == BROKEN_DENSITY)

        def is_last_attempt(state: tenacity.RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            # A broken file is fetched once more, in case it broke during the transfer.
            return state.attempt_number >= (2 if isinstance(error, CrystalError) else self.attempts)

        retrying = tenacity.Retrying(
            stop=is_last_attempt,
            wait=tenacity.wait_exponential_jitter(initial=self.pause, max=_MAX_PAUSE, jitter=self.pause),
            retry=tenacity.retry_if_exception(is_worth_retrying),
            reraise=True,
        )
        return retrying(self._send, request)

    def _send(self, request: Callable[[Any], _Result]) -> _Result:
        with _translated_errors(self.key):
            return request(self._client())

    def _client(self) -> Any:
        """This thread's client; connections are not shared between threads."""
        if getattr(_thread, "key", None) != self.key:
            _thread.client, _thread.key = _connect(self.key), self.key
        return _thread.client


def _connect(key: SecretStr) -> Any:
    try:
        from mp_api.client import MPRester
    except ImportError as error:
        raise MissingExtraError("Querying the Materials Project", "build") from error
    logging.getLogger("mp_api").setLevel(logging.ERROR)
    # The endpoint is passed explicitly, because the library reads its setting only once, at import.
    client = MPRester(
        api_key=key.get_secret_value(),
        endpoint=os.environ.get("MP_API_ENDPOINT"),
        mute_progress_bars=True,
        use_document_model=False,
    )
    request = client.session.request

    def request_with_timeout(*arguments: Any, timeout: float | None = None, **options: Any) -> Any:
        return request(*arguments, timeout=timeout or _TIMEOUT, **options)

    client.session.request = request_with_timeout  # the library sets no timeout of its own
    return client


def _download_density(client: Any, sample_id: str) -> Volume:
    documents = client.materials.search(material_ids=sample_id, fields=["calc_types"])
    kinds = documents[0]["calc_types"] if documents else {}
    tasks = [task for task, kind in kinds.items() if str(getattr(kind, "value", kind)) in _STATIC_CALCULATIONS]
    found = client.materials.tasks.search(task_ids=tasks, fields=["last_updated", "task_id"]) if tasks else []
    if not found:
        raise CrystalError("no density", "the Materials Project has no static calculation of it")
    task = str(max(found, key=lambda document: (str(document["last_updated"]), str(document["task_id"])))["task_id"])
    try:
        chgcar = client.get_charge_density_from_task_id(task)
        volume = volume_from_chgcar(chgcar.structure, chgcar.data)
        check_volume(volume, f"calculation {task}")
    except (*READ_ERRORS, DataError) as error:
        raise CrystalError(
            BROKEN_DENSITY, f"the density of calculation {task} is incomplete or damaged ({type(error).__name__})"
        ) from error
    except _rest_error() as error:
        if "No object found" in str(error) and _is_absent(client, task):
            raise CrystalError("no density", f"there is no density of calculation {task}") from None
        raise
    return volume


def _is_absent(client: Any, task: str) -> bool:
    """Whether the object store has no such file; the library reports every refusal of the store that way."""
    from botocore.exceptions import ClientError
    from emmet.core.mpid import AlphaID

    file = f"chgcars/{AlphaID(task.rsplit('-', maxsplit=1)[-1], prefix='mp').string}.json.gz"
    try:
        client.materials.tasks.s3_client.head_object(Bucket=_BUCKET, Key=file)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404)
    return False


def _rest_error() -> type[Exception]:
    from mp_api.client.core.exceptions import MPRestError

    return MPRestError


@contextmanager
def _translated_errors(key: SecretStr) -> Iterator[None]:
    """Translate the libraries' errors into ours. Their causes are dropped, since they may contain the key."""
    import requests
    import urllib3
    from botocore.exceptions import BotoCoreError, ClientError

    network = (requests.RequestException, urllib3.exceptions.HTTPError, BotoCoreError, ClientError, OSError)
    try:
        yield
    except EcdbenchError:
        raise
    except _rest_error() as error:
        text = str(error).replace(key.get_secret_value(), "***")
        status = re.search(r"status code (\d+)", text)
        raise _status_error(int(status[1]) if status else None, text) from None
    except network as error:
        raise BusyError(f"The Materials Project cannot be reached ({type(error).__name__}).") from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BusyError(f"The Materials Project sent an unreadable answer ({type(error).__name__}).") from None


def _status_error(status: int | None, text: str) -> EcdbenchError:
    if status in (401, 403):
        return KeyRejectedError(f"The Materials Project does not accept the key (status {status}); {_GET_A_KEY}.")
    if status in (400, 404, 422):
        return CrystalError("refused", f"the Materials Project refuses the request (status {status})")
    if status is not None:
        return BusyError(f"The Materials Project is busy (status {status}).")
    return BusyError(f"The Materials Project did not answer: {' '.join(text.split())[:160]}.")
