"""Each part gets only the secrets that it uses (ruling O25)."""

from pathlib import Path

import pytest

from adapters.setting_values import ServiceAccounts
from adapters.settings import Settings
from tests.support.running import KEYS, a_folder, pids_of, up
from workers.running.part_secrets import SECRETS

pytestmark = pytest.mark.slow

GIVEN = {
    **KEYS,
    "ROLLBOOK_ADMIN_PASSWORD": "quite-a-walrus-77",
    "ROLLBOOK_SERVICE_ACCOUNTS": "care/oracle:a-token-of-more-than-24-characters",
}
WORKER = {"ROLLBOOK_APP_DATABASE_URL", "ROLLBOOK_MASTER_KEY"}
API = WORKER | {"REDIS_URL", "ROLLBOOK_SIGNING_KEY", "ROLLBOOK_SERVICE_ACCOUNTS"}


def test_every_setting_that_holds_a_secret_is_known() -> None:
    secret = {
        str(field.validation_alias or f"ROLLBOOK_{name.upper()}")
        for name, field in Settings.model_fields.items()
        if any(kind in repr(field.annotation) for kind in ("SecretStr", "ServiceAccount", "SmtpServer"))
    }
    assert secret | {"ROLLBOOK_DATABASE_URL", "ROLLBOOK_REDIS_URL"} == SECRETS
    assert "ServiceAccount" in repr(ServiceAccounts)


def test_parts_of_up_have_no_secret_of_another() -> None:
    with a_folder() as data, up(data, **GIVEN):
        for part, secrets in {
            "rollbook api": API,
            "rollbook worker projectors": WORKER,
            "rollbook worker jobs": WORKER,
        }.items():
            (pid,) = pids_of(data, part)
            variables = {
                entry.partition(b"=")[0].decode() for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            }
            assert variables & SECRETS == secrets, part
