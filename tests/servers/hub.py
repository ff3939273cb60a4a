"""A Hugging Face Hub on this machine: repositories of datasets and Spaces in memory, over real HTTP.

What `huggingface_hub` needs to make a repository, push to it, tag it and load it at a commit. Clients run with
`HF_ENDPOINT` set to its address and `HF_HUB_DISABLE_XET=1`, which makes large files go through Git-LFS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, abort, jsonify, request

from .faults import Faulty, Serving

TOKEN, READER, STRANGER = "hf_writer", "hf_reader", "hf_stranger"
_ACCOUNTS = {
    TOKEN: {"name": "tester", "orgs": [{"name": "my-org"}], "role": "write"},
    READER: {"name": "tester", "orgs": [{"name": "my-org"}], "role": "read"},
    STRANGER: {"name": "stranger", "orgs": [], "role": "write"},
}
_LARGE = (".parquet", ".png")


@dataclass
class Repository:
    """Files by path at each commit; branches and tags by name."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    main: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], message: str) -> str:
        """Add a commit to the branch main."""
        digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
        self.main = hashlib.sha1(json.dumps([self.main, message, sorted(digests.items())]).encode()).hexdigest()
        self.commits[self.main] = files
        return self.main

    def find(self, revision: str) -> str | None:
        """The commit of a branch, a tag or a commit."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        found = self.main if name == "main" else self.tags.get(name, name)
        return found if found in self.commits else None


class Hub:
    """The repositories of the server that `hub_server` runs; `app` can be made to fail."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.url = ""
        self.app = Faulty(_make_app(self))

    @property
    def environment(self) -> dict[str, str]:
        """What points the real clients here."""
        return {"HF_ENDPOINT": self.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Serve an empty hub."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    hub = Hub()
    with Serving(hub.app) as serving:
        hub.url = serving.url
        yield hub


def _blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _is_large(path: str) -> bool:
    return path.endswith(_LARGE)


def _entry(path: str, content: bytes) -> dict[str, Any]:
    entry = {"type": "file", "path": path, "size": len(content), "oid": _blob_id(content)}
    if _is_large(path):
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digest, "sha256": digest, "size": len(content), "pointerSize": 134}
    return entry


def _make_app(hub: Hub) -> Flask:  # noqa: PLR0915 - one server, many routes
    app = Flask(__name__)

    def refuse(status: int, code: str, message: str) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message, "Content-Type": "application/json"}
        abort(Response(json.dumps({"error": message}), status, headers))

    def account() -> dict[str, Any] | None:
        return _ACCOUNTS.get(request.headers.get("Authorization", "").removeprefix("Bearer "))

    def writer(owner: str) -> dict[str, Any]:
        user = account()
        if user is None:
            refuse(401, "Unauthorized", "Invalid username or password.")
        if user["role"] != "write" or owner not in (user["name"], *(one["name"] for one in user["orgs"])):
            refuse(403, "Forbidden", "You may not write here.")
        return user

    def repository(name: str) -> Repository:
        found = hub.repositories.get(name)
        if found is None or (found.private and account() is None):
            refuse(404 if account() else 401, "RepoNotFound", "Repository not found")
        return found

    def tree(name: str, revision: str) -> tuple[str, dict[str, bytes]]:
        found = repository(name)
        commit = found.find(revision)
        if commit is None:
            refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit, found.commits[commit]

    @app.get("/api/whoami-v2")
    def whoami() -> Any:
        user = account()
        if user is None:
            refuse(401, "Unauthorized", "Invalid username or password.")
        auth = {"type": "access_token", "accessToken": {"displayName": "test", "role": user["role"]}}
        return jsonify({"type": "user", "name": user["name"], "orgs": user["orgs"], "auth": auth})

    @app.post("/api/repos/create")
    def create() -> Any:
        asked = request.get_json(force=True)
        owner = asked.get("organization") or (account() or {}).get("name", "")
        writer(owner)
        name = f"{owner}/{asked['name']}"
        exists = name in hub.repositories
        if not exists:
            private = asked.get("private") or asked.get("visibility") == "private"
            hub.repositories[name] = Repository(bool(private))
            hub.repositories[name].commit({".gitattributes": b"*.parquet filter=lfs\n"}, "initial commit")
        return jsonify({"url": f"{hub.url}/{asked.get('type', 'model')}s/{name}", "name": name}), 409 if exists else 200

    @app.post("/api/validate-yaml")
    def validate_yaml() -> Any:
        return jsonify({"errors": [], "warnings": []})

    @app.get("/api/<any(datasets, spaces):kind>/<owner>/<name>")
    @app.get("/api/<any(datasets, spaces):kind>/<owner>/<name>/revision/<path:revision>")
    def info(kind: str, owner: str, name: str, revision: str = "main") -> Any:
        commit, files = tree(f"{owner}/{name}", revision)
        return jsonify(
            {"_id": commit[:24], "id": f"{owner}/{name}", "author": owner, "sha": commit, "tags": [],
             "private": repository(f"{owner}/{name}").private, "gated": False, "disabled": False, "downloads": 0,
             "likes": 0, "sdk": "static", "siblings": [{"rfilename": path} for path in sorted(files)]}
        )  # fmt: skip

    @app.get("/api/<any(datasets, spaces):kind>/<owner>/<name>/refs")
    def refs(kind: str, owner: str, name: str) -> Any:
        found = repository(f"{owner}/{name}")
        tags = [{"name": t, "ref": f"refs/tags/{t}", "targetCommit": c} for t, c in found.tags.items()]
        heads = [{"name": "main", "ref": "refs/heads/main", "targetCommit": found.main}]
        return jsonify({"branches": heads, "tags": tags, "converts": []})

    @app.get("/api/<any(datasets, spaces):kind>/<owner>/<name>/tree/<revision>")
    def list_tree(kind: str, owner: str, name: str, revision: str) -> Any:
        _, files = tree(f"{owner}/{name}", revision)
        return jsonify([_entry(path, content) for path, content in sorted(files.items())])

    @app.post("/api/<any(datasets, spaces):kind>/<owner>/<name>/paths-info/<revision>")
    def paths_info(kind: str, owner: str, name: str, revision: str) -> Any:
        _, files = tree(f"{owner}/{name}", revision)
        asked = request.get_json(silent=True) or {"paths": request.form.getlist("paths")}
        return jsonify([_entry(path, files[path]) for path in asked["paths"] if path in files])

    @app.post("/api/<any(datasets, spaces):kind>/<owner>/<name>/preupload/<revision>")
    def preupload(kind: str, owner: str, name: str, revision: str) -> Any:
        writer(owner)
        _, files = tree(f"{owner}/{name}", revision)
        answer = []
        for asked in request.get_json(force=True)["files"]:
            path, mode = asked["path"], "lfs" if _is_large(asked["path"]) else "regular"
            told = {"path": path, "uploadMode": mode, "shouldIgnore": False}
            if path in files:
                content = files[path]
                told["oid"] = hashlib.sha256(content).hexdigest() if mode == "lfs" else _blob_id(content)
            answer.append(told)
        return jsonify({"files": answer})

    @app.post("/<any(datasets, spaces):kind>/<owner>/<name>.git/info/lfs/objects/batch")
    def lfs_batch(kind: str, owner: str, name: str) -> Any:
        writer(owner)
        objects = [
            {**one}
            if one["oid"] in hub.large
            else {**one, "actions": {"upload": {"href": f"{hub.url}/lfs/{one['oid']}"}}}
            for one in request.get_json(force=True)["objects"]
        ]
        return jsonify({"transfer": "basic", "objects": objects})

    @app.put("/lfs/<oid>")
    def lfs_put(oid: str) -> Any:
        body = request.get_data()
        if hashlib.sha256(body).hexdigest() != oid:
            refuse(422, "BadChecksum", "content does not match its sha256")
        hub.large[oid] = body
        return jsonify({})

    @app.post("/api/<any(datasets, spaces):kind>/<owner>/<name>/commit/<branch>")
    def commit(kind: str, owner: str, name: str, branch: str) -> Any:
        writer(owner)
        head, files = tree(f"{owner}/{name}", branch)
        header, *operations = [json.loads(line) for line in request.get_data().splitlines() if line.strip()]
        parent = header["value"].get("parentCommit")
        if parent and not head.startswith(parent):
            refuse(412, "PreconditionFailed", "A commit has happened since. Please refresh and try again.")
        files = dict(files)
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = hub.large[value["oid"]]
            elif operation["key"] == "deletedFile":
                del files[value["path"]]
        made = repository(f"{owner}/{name}").commit(files, header["value"]["summary"])
        url = f"{hub.url}/{kind}/{owner}/{name}/commit/{made}"
        return jsonify({"success": True, "commitOid": made, "hookOutput": "", "commitUrl": url})

    @app.post("/api/<any(datasets, spaces):kind>/<owner>/<name>/tag/<path:revision>")
    def tag(kind: str, owner: str, name: str, revision: str) -> Any:
        writer(owner)
        found, wanted = repository(f"{owner}/{name}"), request.get_json(force=True)["tag"]
        if wanted in found.tags:
            refuse(409, "Conflict", f"Tag {wanted} already exists")
        found.tags[wanted] = tree(f"{owner}/{name}", revision)[0]
        return jsonify({})

    @app.route("/<any(datasets, spaces):kind>/<owner>/<name>/resolve/<revision>/<path:path>", methods=["GET", "HEAD"])
    def resolve(kind: str, owner: str, name: str, revision: str, path: str) -> Any:
        commit_id, files = tree(f"{owner}/{name}", revision)
        if path not in files:
            refuse(404, "EntryNotFound", "Entry not found")
        content, status = files[path], 200
        etag = hashlib.sha256(content).hexdigest() if _is_large(path) else _blob_id(content)
        headers = {"X-Repo-Commit": commit_id, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if _is_large(path):
            headers |= {"X-Linked-ETag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        if part := re.match(r"bytes=(\d+)-(\d*)$", request.headers.get("Range", "")):
            start, end = int(part[1]), min(int(part[2] or len(content) - 1), len(content) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
            content, status = content[start : end + 1], 206
        return Response(content, status, headers, content_type="application/octet-stream")

    return app
