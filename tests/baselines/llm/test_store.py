"""The answer store: complete answers, stored once, under distinct keys."""

import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from ecdbench.baselines.llm.replies import Answer, read_completion
from ecdbench.baselines.llm.store import AnswerStore, answer_key
from ecdbench.benchmark.errors import DataError

BODY = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "?"}]}], "seed": 0}


def _image(data):
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    return {**BODY, "messages": [{"role": "user", "content": [part]}]}


def _answer(text):
    response = {"choices": [{"message": {"content": text}}]}
    return Answer(response, read_completion(response), 0.5)


def test_every_part_of_a_question_is_in_its_key():
    keys = [
        answer_key("http://a/v1", BODY, 0),
        answer_key("http://b/v1", BODY, 0),
        answer_key("http://a/v1", BODY, 1),
        answer_key("http://a/v1", {**BODY, "model": "n"}, 0),
        answer_key("http://a/v1", {**BODY, "temperature": 0.5}, 0),
        answer_key("http://a/v1", {**BODY, "seed": 1}, 0),
        answer_key("http://a/v1", _image("AAAA"), 0),
        answer_key("http://a/v1", _image("AAAB"), 0),
    ]
    assert len(set(keys)) == len(keys)
    assert answer_key("http://a/v1", dict(reversed(BODY.items())), 0) == keys[0]


def test_images_are_kept_by_hash_only(tmp_path):
    store = AnswerStore(tmp_path / "answers.sqlite")
    store.put([("k", "http://a/v1", _image("SECRETPIXELS"), _answer("first"))])
    store.put([("k", "http://a/v1", BODY, _answer("later"))])  # the first one stays
    assert store.get("k") == _answer("first")
    assert store.get("other") is None and "other" not in store and "k" in store
    store.close()
    assert b"SECRETPIXELS" not in (tmp_path / "answers.sqlite").read_bytes()


def test_what_is_no_store(tmp_path):
    (tmp_path / "answers.sqlite").write_text("this is a letter, and a long one" * 100)
    with pytest.raises(DataError, match="move it away"):
        AnswerStore(tmp_path / "answers.sqlite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        AnswerStore(tmp_path / "folder")


def test_a_damaged_answer(tmp_path):
    store = AnswerStore(tmp_path / "answers.sqlite")
    for key, response in {"cut": '{"cho', "empty": '{"choices": []}'}.items():
        store.put([(key, "e", BODY, _answer("fine"))])
        with sqlite3.connect(tmp_path / "answers.sqlite") as other:
            other.execute("UPDATE answers SET response = ? WHERE key = ?", (response, key))
        with pytest.raises(DataError, match="is damaged; move it away"):
            store.get(key)


def test_a_claim_is_of_one_process_while_it_lives(tmp_path):
    path = tmp_path / "answers.sqlite"
    own = AnswerStore(path)
    code = f"""
        from pathlib import Path
        from ecdbench.baselines.llm.store import AnswerStore
        store = AnswerStore(Path({str(path)!r}))
        print(store.claim("free", 60), store.claim("held", 60), store.claim("over", 60), flush=True)
        input()
    """
    assert own.claim("held", 60) and own.claim("held", 60) and own.claim("over", -1)
    command = [sys.executable, "-c", textwrap.dedent(code)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "True False True\n"
    assert not own.claim("free", 60) and own.claim("new", 60)
    other.kill()
    other.wait()
    assert own.claim("free", 60)  # it was held by a dead process
    own.release("free")


def test_a_full_disk_is_told_before_or_when_it_happens(tmp_path):
    """The file may not grow: the first answer that does not fit raises an error, and those before it are kept."""
    script = f"""
        import resource
        from pathlib import Path
        from ecdbench.baselines.llm.replies import Answer, read_completion
        from ecdbench.baselines.llm.store import AnswerStore
        response = {{"choices": [{{"message": {{"content": "x" * 5000}}}}]}}
        answer = Answer(response, read_completion(response), 1.0)
        store = AnswerStore(Path({str(tmp_path / "answers.sqlite")!r}))
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        for i in range(1000):
            try:
                store.put([(str(i), "e", {{"model": "m"}}, answer)])
            except OSError as error:
                print(i, error.strerror)
                break
    """
    code = textwrap.dedent(script)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    count, said = found.stdout.split(maxsplit=1)
    assert int(count) > 5 and "No space left" in said
    store = AnswerStore(tmp_path / "answers.sqlite")
    assert all(store.get(str(i)) is not None for i in range(int(count)))
