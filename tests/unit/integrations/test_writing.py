"""What the hub tells of a token, and of its own troubles, is said as it is."""

from __future__ import annotations

import errno
import json
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub.errors import OfflineModeIsEnabled

from acbench.errors import AcbenchError, SourceError
from acbench.integrations.huggingface.hub import looks_like_repo
from acbench.integrations.huggingface.images import HubImages
from acbench.integrations.huggingface.troubles import as_ours, shown
from acbench.integrations.huggingface.writing import why_not
from acbench.release.hub import Busy, Conflict, HubError, Unclear

MEMBER = {"name": "ada", "orgs": [{"name": "my-org", "roleInOrg": "write"}]}


@pytest.mark.parametrize(
    ("account", "repo", "why"),
    [
        (MEMBER, "my-org/x", ""),
        (MEMBER, "My-Org/x", ""),
        (MEMBER, "ada/x", ""),
        (MEMBER, "other/x", "ada is no member of other"),
        ({**MEMBER, "orgs": [{"name": "my-org", "roleInOrg": "read"}]}, "my-org/x", "ada may only read in my-org"),
        ({**MEMBER, "auth": {"accessToken": {"role": "read"}}}, "my-org/x", "the token of ada may only read"),
        (
            {**MEMBER, "auth": {"accessToken": {"role": "fineGrained", "fineGrained": {"scoped": []}}}},
            "my-org/x",
            "the fine-grained token of ada may write nowhere",
        ),
        (
            {**MEMBER, "auth": {"accessToken": {
                "role": "fineGrained", "fineGrained": {"scoped": [{"permissions": ["repo.write"]}]}}}},
            "my-org/x",
            "",
        ),
        ({"name": "ada", "orgs": "nonsense", "auth": []}, "ada/x", ""),
    ],
)  # fmt: skip
def test_who_may_write(account: dict[str, Any], repo: str, why: str) -> None:
    assert why_not(account, repo) == why


@pytest.mark.parametrize("name", ["x", "a/b/c", "a/b--c", "a/b..c", "a/b-", "a./b", "a/b.git", "a/-b", "a/b c", "a/"])
def test_a_name_that_the_hub_refuses_is_none(name: str) -> None:
    assert looks_like_repo("my-org/mvtec-ac.v2_x")
    assert not looks_like_repo(name)


def answer(status: int, **headers: str) -> Exception:
    error = Exception("told at https://cdn.example/x?Signature=secret, see http://other.example")
    error.response = httpx.Response(status, headers=headers)  # type: ignore[attr-defined]
    return error


def hidden(error: Exception) -> Exception:
    """An error as huggingface_hub makes it of one that storing met."""
    other = RuntimeError("Error while uploading 'data/x.parquet' to the Hub.")
    other.__cause__ = error
    return other


@pytest.mark.parametrize(
    ("error", "doing", "kind", "told"),
    [
        (hidden(answer(413)), "write", HubError, "takes no files of this size for my-org/x (413)"),
        (hidden(answer(503, **{"Retry-After": "7"})), "write", Busy, "no capacity at the moment (503)"),
        (answer(401), "read", HubError, "a token that may read there"),
        (answer(403), "write", HubError, "a token that may write there"),
        (answer(413), "write", HubError, "takes no files of this size for my-org/x (413)"),
        (answer(503), "write", Busy, "no capacity at the moment (503)"),
        (answer(409), "write", Conflict, "changed by somebody else"),
        (answer(418), "write", HubError, "the hub refuses (418): told at … see …"),
        (RuntimeError("HTTP status client error (413 Payload Too Large) for url (https://s3.example)"), "write",
         HubError, "(413)"),
        (RuntimeError("HTTP status server error (503 Service Unavailable) for url (https://s3.example)"), "write",
         Busy, "(503)"),
        (json.JSONDecodeError("no", "", 0), "write", Unclear, "cannot be read"),
        (OSError(errno.ENOSPC, "No space left on device"), "read", HubError, "this machine has no place for what it"),
        (OSError(errno.EROFS, "Read-only file system", "/cache/x"), "read", HubError, "Read-only file system"),
        (ConnectionError("cut"), "read", Unclear, "the hub does not answer (ConnectionError)"),
        (OfflineModeIsEnabled("no"), "read", Unclear, "HF_HUB_OFFLINE is set"),
    ],
)  # fmt: skip
def test_troubles_of_the_hub_are_what_they_are(error: Exception, doing: str, kind: type, told: str) -> None:
    ours = as_ours(error, "my-org/x", None, doing)
    assert type(ours) is kind
    assert told in str(ours)
    assert "example" not in str(ours)


def test_a_wait_that_the_hub_asks_for_is_kept() -> None:
    busy = as_ours(answer(503, **{"Retry-After": "3600"}), "my-org/x", None, "write")
    assert isinstance(busy, Busy) and busy.seconds == 3600
    busy = as_ours(hidden(answer(503, **{"Retry-After": "7"})), "my-org/x", None, "write")
    assert isinstance(busy, Busy) and busy.seconds == 7


def test_the_hub_s_own_address_is_shown() -> None:
    assert shown("see https://huggingface.co/x") == "see https://huggingface.co/x"


def test_an_error_of_reading_images_holds_no_token_and_no_foreign_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **named: object) -> None:
        raise RuntimeError("hf_secret at https://s3.example/signed")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", fail)
    with pytest.raises(SourceError, match="cannot be read from the Hub: RuntimeError: hf_… at …"):
        _ = HubImages("hf://datasets/my-org/x").key


@pytest.mark.parametrize("scratch", [True, False])
def test_a_disk_without_room_is_no_fault_of_a_dataset(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scratch: bool
) -> None:
    """The error of `datasets` is that of a real disk of 2 MB: it hides the number behind another error."""

    def full(*_: object, cache_dir: str, **__: object) -> None:
        assert Path(cache_dir).parent == (tmp_path / "copies" if scratch else Path(tempfile.gettempdir()))
        error = RuntimeError("An error occurred while generating the dataset")
        raise error from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("datasets.load_dataset", full)
    images = HubImages("hf://datasets/my-org/x", scratch=tmp_path / "copies" if scratch else None)
    images.commit = "0" * 40
    with pytest.raises(AcbenchError) as caught:
        list(images.images())
    assert not isinstance(caught.value, SourceError)
    assert "cannot unpack the dataset my-org/x: No space left on device" in str(caught.value)
    assert f"what is unpacked in {tmp_path / 'copies' if scratch else tempfile.gettempdir()}: make room" in str(
        caught.value
    )
