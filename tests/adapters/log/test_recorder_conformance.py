"""The library's own conformance cases, on our table and our append statement, in the application's role."""

import sys

import pytest
from eventsourcing import cryptography

# The cases import the library's other cipher, whose dependency we do not have, and do not use it here.
sys.modules.setdefault("eventsourcing.cipher", cryptography)

from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase  # noqa: E402

from tests.support.recorder import LogRecorder  # noqa: E402


class OnOurLog:
    @pytest.fixture(autouse=True)
    def _on_a_database(self, database_url: str) -> None:
        self.database_url = database_url

    def create_recorder(self) -> LogRecorder:
        recorder = LogRecorder(self.database_url)
        self.addCleanup(recorder.datastore.close)  # type: ignore[attr-defined]
        return recorder


class TestApplicationRecorder(OnOurLog, ApplicationRecorderTestCase[LogRecorder]):
    def test_insert_subscribe(self) -> None:
        super().optional_test_insert_subscribe()


class TestPositionsOfOneAppendStandTogether(OnOurLog, NonInterleavingNotificationIDsBaseCase):
    pass


del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase
