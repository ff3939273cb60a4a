"""Ask the Hugging Face Hub for something: patience where it is busy, a sentence where it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ...benchmark.errors import EcdbenchError, ServiceError

_ATTEMPTS = 4
_BUSY = {408, 429, 500, 502, 503, 504}


class PublishError(EcdbenchError):
    """The Hub does not let this dataset be published there."""


def ask_hub(ask: Callable[[], Any], repository: str, pause: float) -> Any:
    """Ask, and again with growing pauses where the Hub is busy.

    Args:
        ask: the question.
        repository: what it is about.
        pause: seconds before the second attempt; doubles each time, up to a minute.

    Raises:
        PublishError: the Hub refuses.
        ServiceError: it does not answer, or somebody else was faster.
    """
    import tenacity

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        wait=tenacity.wait_exponential(multiplier=pause, max=60),
        retry=tenacity.retry_if_exception(lambda error: _status(error) in _BUSY),
        reraise=True,
    )
    try:
        return retrying(ask)
    except Exception as error:
        meaning = _meaning(error, repository)
        if meaning is None:
            raise
        raise meaning from error


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _meaning(error: Exception, repository: str) -> EcdbenchError | None:
    """What an error of the library means; None for one that is no answer of the Hub."""
    from huggingface_hub import errors

    if isinstance(error, errors.LocalTokenNotFoundError):
        return PublishError("There is no Hub token; set HF_TOKEN or run `hf auth login`, with one that may write.")
    if isinstance(error, json.JSONDecodeError):
        return ServiceError(
            "What answers for the Hub is not the Hub, perhaps the login page of this network; log in there first."
        )
    status = _status(error)
    network = (errors.HTTPError, ConnectionError, TimeoutError)  # type: ignore[attr-defined]
    if status is None and not isinstance(error, network):
        return None
    if status is None or status in _BUSY:
        what = f"status {status}" if status else type(error).__name__
        return ServiceError(f"The Hub does not answer ({what}); give the same command again, it completes the push.")
    return {
        401: PublishError("The Hub does not accept your token; set HF_TOKEN or run `hf auth login` again."),
        403: PublishError(f"Your Hub token may not write to {repository}; make one that may, or take another name."),
        409: ServiceError(f"Somebody else changed {repository} meanwhile; give the same command again."),
        412: ServiceError(f"Somebody else changed {repository} meanwhile; give the same command again."),
    }.get(status, PublishError(f"The Hub refuses the push to {repository} (status {status})."))
