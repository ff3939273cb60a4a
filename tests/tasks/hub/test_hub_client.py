"""The one translation of errors from the Hub's library."""

import errno
import json

import pytest
from ecdbench.benchmark.errors import DataError, ServiceError
from ecdbench.tasks.hub.hub_client import HubError, call_hub, describe_failure
from huggingface_hub import errors

REPO = "my-org/x"


class Response:
    """As much of a response as the library's errors look at."""

    def __init__(self, status: int) -> None:
        self.status_code, self.headers, self.request = status, {}, None


def fail_with(error):
    def request():
        raise error

    call_hub(request, REPO, pause=0.0)


def answer(status):
    return errors.HfHubHTTPError(f"status {status}", response=Response(status))


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (errors.LocalTokenNotFoundError(), HubError, "There is no Hub token"),
        (errors.HFValidationError(), DataError, "'my-org/x' is not a valid repository name"),
        (json.JSONDecodeError("no", "<html>", 0), ServiceError, "possibly from the login page of this network"),
        (errors.GatedRepoError("no", response=Response(403)), DataError, "does not give access"),
        (errors.OfflineModeIsEnabled(), ServiceError, r"does not answer \(OfflineModeIsEnabled\)"),
        (errors.LocalEntryNotFoundError("not cached"), ServiceError, "does not answer"),
        (answer(401), HubError, "does not accept your token"),
        (answer(403), HubError, "does not permit this for my-org/x"),
        (answer(409), ServiceError, "Someone else changed my-org/x"),
        (answer(413), HubError, r"refuses the request for my-org/x \(status 413\)"),
        (answer(503), ServiceError, r"does not answer \(status 503\)"),
    ],
)
def test_every_error_has_one_meaning(error, kind, message):
    with pytest.raises(kind, match=message) as raised:
        fail_with(error)
    assert isinstance(raised.value, HubError)
    assert str(raised.value) == f"{describe_failure(raised.value)}; {raised.value.remedy}."


def test_a_full_disk_is_not_blamed_on_the_hub():
    with pytest.raises(OSError, match="No space left") as raised:
        fail_with(OSError(errno.ENOSPC, "No space left on device"))
    assert not isinstance(raised.value, HubError)
