"""Talk to the Materials Project: one client, one meaning for each of its errors, patience with a busy server."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from ...benchmark.errors import DataError, EcdbenchError, MissingExtraError
from .material import BusyError, Material, MaterialError
from .volume import UNREADABLE, Volume, check_volume, from_chgcar

_BUCKET = "materialsproject-parsed"
_KEY_LENGTH = 32
_STATIC = ("GGA Static", "GGA+U Static")
_GET_ONE = "get one at https://materialsproject.org/api"
_TIMEOUT = 60.0
_Result = TypeVar("_Result")
_clients = threading.local()


class KeyRejectedError(EcdbenchError):
    """The key is absent, cannot be one, or the Materials Project does not accept it."""


def read_key(file: Path | None) -> SecretStr:
    """The user's key, from a file or from `MP_API_KEY`.

    Raises:
        KeyRejectedError: there is none, or it is no key.
    """
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise KeyRejectedError(f"The key cannot be read from {file} ({type(error).__name__}).") from None
        where = str(file)
    else:
        text, where = os.environ.get("MP_API_KEY", ""), "MP_API_KEY"
    key = text.strip()
    if not key:
        raise KeyRejectedError(
            f"{where} holds no key for the Materials Project; {_GET_ONE}, then set MP_API_KEY or give --api-key-file."
        )
    if len(key) != _KEY_LENGTH or not key.isalnum():
        raise KeyRejectedError(
            f"{where} holds no key of the Materials Project: it has {len(key)} characters, a key has {_KEY_LENGTH} "
            f"letters and digits; {_GET_ONE}."
        )
    return SecretStr(key)


@dataclass(frozen=True)
class MaterialsProject:
    """The Materials Project as a source of densities.

    Attributes:
        key: the user's key.
        attempts: how often a busy server is asked, with a growing pause in between.
        pause: seconds before the second attempt; it doubles each time, up to a minute.
    """

    key: SecretStr
    attempts: int = 6
    pause: float = 1.0

    def density(self, material: Material) -> Volume:
        """Download one density: that of the latest static calculation.

        Raises:
            MaterialError: there is no static calculation, no file, or a broken one.
            BusyError: the server did not answer, at any attempt.
            KeyRejectedError: the key is not accepted.
        """
        return self.patiently(lambda client: _download(client, material.id))

    def state(self, material: Material) -> str:
        """The server is not asked again for what it gave once."""
        return "materials project"

    def patiently(self, ask: Callable[[Any], _Result]) -> _Result:
        """Ask the client something, again and with growing pauses where the server is busy."""
        import tenacity

        def give_up(state: tenacity.RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            # A broken file is fetched once more, in case the transfer broke it.
            return state.attempt_number >= (2 if isinstance(error, MaterialError) else self.attempts)

        def again(error: BaseException) -> bool:
            return isinstance(error, BusyError) or (isinstance(error, MaterialError) and error.kind == "broken density")

        retrying = tenacity.Retrying(
            stop=give_up,
            wait=tenacity.wait_exponential_jitter(initial=self.pause, max=60, jitter=self.pause),
            retry=tenacity.retry_if_exception(again),
            reraise=True,
        )
        return retrying(self._ask, ask)

    def _ask(self, ask: Callable[[Any], _Result]) -> _Result:
        with _meaning_of_errors(self.key):
            return ask(self._client())

    def _client(self) -> Any:
        """This thread's client; connections are not shared."""
        if getattr(_clients, "key", None) != self.key:
            _clients.one, _clients.key = _connect(self.key), self.key
        return _clients.one


def _connect(key: SecretStr) -> Any:
    try:
        from mp_api.client import MPRester
    except ImportError as error:
        raise MissingExtraError("Asking the Materials Project", "build") from error
    logging.getLogger("mp_api").setLevel(logging.ERROR)
    # The endpoint is given because the library reads its setting only once, when it is imported.
    client = MPRester(
        api_key=key.get_secret_value(),
        endpoint=os.environ.get("MP_API_ENDPOINT"),
        mute_progress_bars=True,
        use_document_model=False,
    )
    request = client.session.request

    def request_with_limit(*arguments: Any, timeout: float | None = None, **options: Any) -> Any:
        return request(*arguments, timeout=timeout or _TIMEOUT, **options)

    client.session.request = request_with_limit  # the library sets no time limit
    return client


def _download(client: Any, material: str) -> Volume:
    documents = client.materials.search(material_ids=material, fields=["calc_types"])
    kinds = documents[0]["calc_types"] if documents else {}
    tasks = [task for task, kind in kinds.items() if str(getattr(kind, "value", kind)) in _STATIC]
    found = client.materials.tasks.search(task_ids=tasks, fields=["last_updated", "task_id"]) if tasks else []
    if not found:
        raise MaterialError("no density", "the Materials Project has no static calculation of it")
    task = str(max(found, key=lambda document: (str(document["last_updated"]), str(document["task_id"])))["task_id"])
    try:
        volume = from_chgcar(client.get_charge_density_from_task_id(task))
        check_volume(volume, f"calculation {task}")
    except (*UNREADABLE, DataError) as error:
        raise MaterialError(
            "broken density", f"the density of calculation {task} is not whole ({type(error).__name__})"
        ) from error
    except _rest_error() as error:
        if "No object found" in str(error) and _is_absent(client, task):
            raise MaterialError("no density", f"there is no density of calculation {task}") from None
        raise
    return volume


def _is_absent(client: Any, task: str) -> bool:
    """Whether the store says that it has no such file; the library says so whenever the store refuses anything."""
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
def _meaning_of_errors(key: SecretStr) -> Iterator[None]:
    """Errors of the libraries as ours. Their causes are cut off: nothing that may hold the key is ever shown."""
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
        raise _refusal(int(status[1]) if status else None, text) from None
    except network as error:
        raise BusyError(f"The Materials Project cannot be reached ({type(error).__name__}).") from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BusyError(f"The Materials Project sent what cannot be read ({type(error).__name__}).") from None


def _refusal(status: int | None, text: str) -> EcdbenchError:
    if status in (401, 403):
        return KeyRejectedError(f"The Materials Project does not accept the key (status {status}); {_GET_ONE}.")
    if status in (400, 404, 422):
        return MaterialError("refused", f"the Materials Project refuses the request (status {status})")
    if status is not None:
        return BusyError(f"The Materials Project is busy (status {status}).")
    return BusyError(f"The Materials Project did not answer: {' '.join(text.split())[:160]}.")
