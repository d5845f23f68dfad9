"""Figures of a running product: whichever process answers tells all (ruling J6)."""

import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import wait_until
from tests.support.running import a_folder, pids_of, up, url_of

pytestmark = pytest.mark.slow

ASKED = 'rollbook_request_seconds_count{method="GET",route="/healthz",status="200"}'


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Path, str]]:
    """Three API processes."""
    with a_folder() as data, up(data, ROLLBOOK_METRICS="true", ROLLBOOK_API_PROCESSES="3") as output:
        yield data, url_of(output)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # a connection each: any process may take it
        return str(answer.read().decode())


def figures(url: str) -> dict[str, float]:
    """The value of each sample, by its name and labels as they stand in the text."""
    lines = [line for line in get(f"{url}/metrics").splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_every_scrape_has_the_counts_of_all_processes(running: tuple[Path, str]) -> None:
    data, url = running
    assert len(pids_of(data, "rollbook api")) == 3
    for _ in range(30):
        get(f"{url}/healthz")
    assert {figures(url)[ASKED] for _ in range(15)} == {30.0}


def test_counts_of_a_killed_process_are_kept(running: tuple[Path, str]) -> None:
    data, url = running
    before = figures(url)[ASKED]
    killed = pids_of(data, "rollbook api")
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(pids_of(data, "rollbook api") - killed) == 3)
    get(f"{url}/healthz")
    assert figures(url)[ASKED] == before + 1


def test_a_scrape_is_well_formed_and_tells_lag_and_queue_too(running: tuple[Path, str]) -> None:
    families = [family.name for family in text_string_to_metric_families(get(f"{running[1]}/metrics"))]
    assert len(families) == len(set(families))
    looked_up = {"rollbook_projection_lag_events", "rollbook_projection_lag_seconds", "rollbook_jobs"}
    counted = {"rollbook_request_seconds", "rollbook_decision_seconds", "rollbook_append_seconds", "rollbook_unhandled"}
    assert looked_up | counted <= set(families)
    followers = {name for name in figures(running[1]) if name.startswith("rollbook_projection_lag_events{")}
    assert 'rollbook_projection_lag_events{projection="groups",state="running"}' in followers
    assert 'rollbook_projection_lag_events{projection="authorization",state="running"}' in followers
