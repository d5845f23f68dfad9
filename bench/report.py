"""Writes figures to bench/results/<date>.json and, from the latest of these files, to the table of bench/README.md."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bench.figures import Figure

HERE = Path(__file__).parent
README = HERE / "README.md"
RESULTS = HERE / "results"
BEGIN, END = "<!-- begin of the figures -->", "<!-- end of the figures -->"
HEAD = ("| figure | measured | aim | beside | ratio | further |", "|---|---|---|---|---|---|")


def add_results(
    folder: Path, machine: dict[str, str | int | float], size: str, question: str, load: float, figures: list[Figure]
) -> Path:
    """Write the figures to the file of today, replacing those of the same question and size; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y-%m-%d}.json"
    known = orjson.loads(path.read_bytes()) if path.exists() else {"figures": []}
    kept = [row for row in known["figures"] if (row["size"], row["question"]) != (size, question)]
    new = [_as_dict(figure, size, question, load) for figure in figures]
    results = {"machine": machine, "figures": sorted([*kept, *new], key=lambda row: (row["question"], row["size"]))}
    path.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2) + b"\n")
    return path


def write_readme(path: Path) -> None:
    """Write the figures of that file into the table of bench/README.md."""
    results = orjson.loads(path.read_bytes())
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n\n{as_markdown(path.stem, results)}\n\n{END}{after}")


def as_markdown(day: str, results: dict[str, Any]) -> str:
    """Return the figures as Markdown, with a section for each question and size."""
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    lines = [f"Measured on {day}: {machine}."]
    sections: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in results["figures"]:
        sections.setdefault((row["question"], row["size"]), []).append(row)
    for (question, size), figures in sections.items():
        lines += ["", f"### {question}, size {size} (load before: {figures[0]['load before']})", "", *HEAD]
        lines += [_row(figure) for figure in figures]
    return "\n".join(lines)


def in_short(figure: Figure) -> str:
    """Return the figure as one line of text."""
    aim = "" if figure.reached is None else f" ({'reached' if figure.reached else 'MISSED'}: {_number(figure.aim)})"
    ratios = "; ".join(f"{ratio:.2f} of {name}" for name, ratio in figure.ratios().items())
    return f"{figure.name}: {_number(figure.value)} {figure.unit}{aim}  [{ratios}]  {_further(figure.more)}"


def _as_dict(figure: Figure, size: str, question: str, load: float) -> dict[str, Any]:
    return {
        "question": question,
        "size": size,
        "figure": figure.name,
        "value": _rounded(figure.value),
        "unit": figure.unit,
        "aim": figure.aim,
        "reached": figure.reached,
        "beside": {limit.name: _rounded(limit.value) for limit in figure.beside},
        "ratios": {name: _rounded(ratio) for name, ratio in figure.ratios().items()},
        "more": {name: _rounded(value) for name, value in figure.more.items()},
        "load before": load,
    }


def _row(figure: dict[str, Any]) -> str:
    aim = {None: "", True: "reached: ", False: "**missed**: "}[figure["reached"]]
    aim += "" if figure["aim"] is None else _number(figure["aim"])
    beside = "<br>".join(f"{name}: {_number(value)}" for name, value in figure["beside"].items())
    ratios = "<br>".join(_number(value) for value in figure["ratios"].values())
    measured = f"{_number(figure['value'])} {figure['unit']}"
    return f"| {figure['figure']} | {measured} | {aim} | {beside} | {ratios} | {_further(figure['more'])} |"


def _further(more: dict[str, float]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in more.items())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{_rounded(value):g}"


def _rounded(value: float) -> float:
    """Round to three digits, which is about the precision of these measurements."""
    return float(f"{value:.3g}")
