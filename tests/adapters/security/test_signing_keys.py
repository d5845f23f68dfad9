"""Several signing keys, and a file of them that changes while it is used (ruling K125)."""

import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import time_machine
from pydantic import SecretStr

from adapters.security.key_files import with_keys
from adapters.security.signing_keys import (
    FORMER_KEY_VERIFIES,
    SIGNING_KEYS,
    FixedKeys,
    KeyFile,
    new_key,
    put_first,
    read_keys,
    signing_keys,
    written,
)
from adapters.security.tokens import Tokens
from adapters.settings import Settings
from domain.core.errors import Unauthenticated


def a_file(folder: Path) -> Path:
    with_keys(Settings(data=folder), make=True)
    return folder / SIGNING_KEYS


def a_token(tokens: Tokens, seconds: float = 60) -> str:
    return tokens.access_token(uuid4(), uuid4(), None, datetime.now(UTC) + timedelta(seconds=seconds))


def kids(tokens: Tokens) -> list[str]:
    return [key["kid"] for key in tokens.jwks()["keys"]]


def test_the_first_of_several_keys_signs_and_all_verify() -> None:
    older, newer = written(new_key()), written(new_key())
    before, after = Tokens(FixedKeys(older), "us", "them"), Tokens(FixedKeys(newer + older), "us", "them")
    assert after.verify(a_token(before))
    assert kids(after) == [*kids(Tokens(FixedKeys(newer), "us", "them")), *kids(before)]
    with pytest.raises(Unauthenticated):
        before.verify(a_token(after))


def test_the_setting_may_hold_several_keys_in_one_line() -> None:
    text = (written(new_key()) + written(new_key())).replace("\n", "\\n")
    settings = Settings.model_validate({"signing_key": SecretStr(text)})
    assert len(signing_keys(settings).known()) == 2


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_other_texts_are_no_keys(text: str) -> None:
    with pytest.raises(ValueError, match="Ed25519"):
        FixedKeys(text)
    with pytest.raises(ValueError, match="Ed25519"):
        FixedKeys(written(new_key()) + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")


def test_a_token_of_a_new_key_is_accepted_at_once(tmp_path: Path) -> None:
    path = a_file(tmp_path)
    running = Tokens(KeyFile(path), "us", "them")
    former = a_token(running)
    put_first(path, new_key())
    assert running.verify(a_token(Tokens(KeyFile(path), "us", "them")))
    assert running.verify(former)
    assert kids(running) == kids(Tokens(KeyFile(path), "us", "them"))


def test_the_former_key_verifies_for_as_long_as_its_tokens_live(tmp_path: Path) -> None:
    path = a_file(tmp_path)
    long = a_token(Tokens(KeyFile(path), "us", "them"), 10_000)
    put_first(path, new_key())
    seconds = FORMER_KEY_VERIFIES.total_seconds()
    assert seconds == 3900
    tokens = Tokens(KeyFile(path), "us", "them")
    with time_machine.travel(timedelta(seconds=seconds - 5)):
        assert tokens.verify(long)
        assert len(kids(tokens)) == 2
    with time_machine.travel(timedelta(seconds=seconds + 5)):
        assert len(kids(tokens)) == 1
        with pytest.raises(Unauthenticated):
            tokens.verify(long)
        put_first(path, new_key())
        assert len(read_keys(path)) == 2


def test_the_file_stays_for_its_owner_alone(tmp_path: Path) -> None:
    path = a_file(tmp_path)
    put_first(path, new_key())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
        put_first(path, new_key())
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12345)


def test_a_file_that_cannot_be_read_leaves_the_known_keys(tmp_path: Path) -> None:
    path = a_file(tmp_path)
    keys = KeyFile(path)
    (known,) = keys.known()
    path.write_text("damaged")
    assert keys.find("another") is None
    assert keys.find(known.kid) == known
    path.unlink()
    assert keys.find("another") is None
    assert list(keys.known()) == [known]


def test_of_changes_at_the_same_time_none_is_lost(tmp_path: Path) -> None:
    path = a_file(tmp_path)
    added = [new_key() for _ in range(8)]
    threads = [threading.Thread(target=put_first, args=(path, key)) for key in added]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_keys(path)
    assert {key.kid for key in added} < {key.kid for key in found}
    assert [key.until is None for key in found] == [True] + [False] * 8
