"""The benchmark still runs; what it measures here means nothing."""

from pathlib import Path

import orjson
import pytest

from bench.__main__ import main
from bench.figures import Figure, Limit, milliseconds, quantile
from bench.report import as_markdown

pytestmark = pytest.mark.slow


def test_questions_are_answered_in_a_small_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["moves", "starts", "--size", "small", "--seconds", "0.1", "--results", str(tmp_path)])
    (path,) = tmp_path.glob("*.json")
    results = orjson.loads(path.read_bytes())
    found = {each["question"]: each for each in results["figures"]}
    assert found.keys() == {"making", "moves", "starts"}
    (wrong,) = (each for each in results["figures"] if each["unit"] == "answers")
    assert wrong["value"] == 0
    assert wrong["more"]["checks"] > 0
    assert "| " + wrong["figure"] in as_markdown("today", results)
    (second,) = (each for each in results["figures"] if each["unit"] == "s" and each["aim"])
    assert (second["aim"], len(second["beside"])) == (5, 2)
    assert "append of a move" in capsys.readouterr().out


def test_a_figure_is_told_beside_its_limits() -> None:
    rate = Figure("commands", 50.0, "commands/s", [Limit("commits/s", 200.0)], aim=100)
    assert rate.ratios() == {"commits/s": 0.25}
    assert rate.reached is False
    assert Figure("page", 5.0, "ms", [], aim=50).reached is True
    assert Figure("page", 5.0, "ms", []).reached is None


def test_quantiles_are_values_that_occurred() -> None:
    assert [quantile([3.0, 1.0, 2.0, 4.0], share) for share in (0.01, 0.5, 0.75, 1.0)] == [1.0, 2.0, 3.0, 4.0]
    assert quantile([], 0.5) == 0.0
    assert milliseconds([0.001, 0.002]) == {"p50 ms": 1.0, "p99 ms": 2.0}
