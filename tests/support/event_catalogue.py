"""Every event there is: what of it is frozen, and docs/events.md, which describes it.

`python -m tests.support.event_catalogue --write` adds what is new to both. What is frozen it never changes: an event
that has to look different gets the next `class_version` and an upcast from the one before.
"""

import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, get_origin, get_type_hints

from eventsourcing.utils import get_topic

import domain.application  # noqa: F401 - imports them all
from domain.core.audited import AuditContext, Audited
from domain.core.personal import Personal

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/domain/events.golden.json"
PAGE = ROOT / "docs/events.md"
PLACE = {"originator_id", "originator_version", "originator_id_type"}
COMMON = {"originator_topic", "timestamp", "by"}

Frozen = dict[str, dict[str, dict[str, str]]]
"""Topic, then version, then field: its type."""


class Described(NamedTuple):
    """An event class as the log knows it."""

    kind: type[Any]
    topic: str
    version: int
    meaning: str
    fields: dict[str, str]
    personal: list[str]


def aggregates() -> list[type[Audited]]:
    """All that the application has, by topic; not the classes from which they inherit."""
    found = {kind for kind in _family(Audited) if kind.__module__.startswith("domain.") and "TOPIC" in vars(kind)}
    return sorted(found, key=get_topic)


def events_of(aggregate: type[Audited]) -> list[Described]:
    """In the order in which the class, and before it those from which it inherits, list them."""
    own = vars(aggregate)
    names = dict.fromkeys(name for base in reversed(aggregate.__mro__) for name in vars(base) if name in own)
    kinds = [own[name] for name in names if isinstance(own[name], type) and hasattr(own[name], "TOPIC")]
    return [_described(kind) for kind in kinds if issubclass(kind, Audited.Event)]


def frozen() -> Frozen:
    """What the golden file holds of the code as it is; the circumstances (`by`) stand under their class's name."""
    by = {field.name: _name(field.type) for field in dataclasses.fields(AuditContext)}
    every = [event for aggregate in aggregates() for event in events_of(aggregate)]
    return {"AuditContext": {"1": by}, **{event.topic: {str(event.version): event.fields} for event in every}}


def golden() -> Frozen:
    """What has been frozen so far, every version that ever was."""
    content: Frozen = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    return content


def broken(old: Frozen, new: Frozen) -> list[str]:
    """What is frozen and not as it was."""
    found = [f"{topic} is gone" for topic in old if topic not in new]
    for topic in old.keys() & new.keys():
        ((version, fields),) = new[topic].items()
        latest = max(old[topic], key=int)
        if int(version) < int(latest):
            found.append(f"{topic} went back from version {latest} to {version}")
        elif version == latest and fields != old[topic][version]:
            found.append(f"{topic} changed: {old[topic][version]} became {fields}")
        elif int(version) > int(latest) + 1:
            found.append(f"{topic} skipped a version: {latest} became {version}")
    return sorted(found)


def missing_upcasts() -> list[str]:
    """Steps that would leave events of an earlier version unreadable."""
    every = [event for aggregate in aggregates() for event in events_of(aggregate)]
    steps = [(event, f"upcast_v{older}_v{older + 1}") for event in every for older in range(1, event.version)]
    return [f"{event.topic}: {step}" for event, step in steps if not hasattr(event.kind, step)]


def page() -> str:
    """docs/events.md."""
    lines = [_HEAD]
    for aggregate in aggregates():
        lines += [f"## {get_topic(aggregate)}", "", _own_docstring(aggregate), ""]
        lines += ["| topic | version | meaning | fields |", "|---|---|---|---|"]
        for event in events_of(aggregate):
            fields = ", ".join(
                f"`{name}`{' **(personal)**' if name in event.personal else ''}: {_cell(kind)}"
                for name, kind in event.fields.items()
                if name not in COMMON
            )
            lines.append(f"| `{event.topic}` | {event.version} | {event.meaning} | {fields} |")
        lines.append("")
    return "\n".join(line for place, line in enumerate(lines) if line or lines[place - 1]).rstrip() + "\n"


def _described(kind: type[Any]) -> Described:
    hints = {
        name: hint
        for name, hint in get_type_hints(kind).items()
        if get_origin(hint) is not ClassVar and hint is not ClassVar and name not in PLACE
    }
    return Described(
        kind=kind,
        topic=get_topic(kind),
        version=getattr(kind, "class_version", 1),
        meaning=_own_docstring(kind),
        fields=dict(_fields(hints)),
        personal=[name for name, kind in _fields(hints) if Personal.__name__ in kind],
    )


def _fields(hints: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields by name; those of a dataclass in an event (a plain record's) each by itself: "fields.locale"."""
    for name, hint in hints.items():
        if dataclasses.is_dataclass(hint) and name not in COMMON:
            yield from ((f"{name}.{part}", kind) for part, kind in _fields(get_type_hints(hint)))
        elif get_origin(hint) is not ClassVar:
            yield name, _name(hint)


def _own_docstring(kind: type[Any]) -> str:
    """In one line, of the class as it was written; not what dataclasses and the library make up for classes without."""
    for each in kind.__mro__:
        text = vars(each).get("__doc__")
        if each.__name__ == kind.__name__ and text and not text.startswith(f"{kind.__name__}("):
            return " ".join(inspect.cleandoc(text).split())
    return ""


def _name(hint: Any) -> str:
    text = hint.__name__ if isinstance(hint, type) and get_origin(hint) is None else str(hint)
    return re.sub(r"\b[a-z_]+\.(?=[a-zA-Z])", "", text)


def _cell(kind: str) -> str:
    return kind.replace("|", "\\|")


def _family(kind: type[Audited]) -> Iterator[type[Audited]]:
    for heir in kind.__subclasses__():
        yield heir
        yield from _family(heir)


_HEAD = """# Events

Generated by `python -m tests.support.event_catalogue --write` from the event classes in `domain/`; a test keeps it
true. Topics and fields are frozen in `tests/domain/events.golden.json`.

Every event carries `originator_id` and `originator_version` (its stream and its place in it), `timestamp`, and `by`:
who did it (`actor`, `impersonator`), in which `session` and `organization`, because of which request (`correlation`)
or event (`causation`). Fields marked **personal** stand in the log encrypted under the key of the person that they
belong to, and read as null once that key is destroyed.
"""


def main() -> None:
    old, new = golden(), frozen()
    if problems := [*broken(old, new), *missing_upcasts()]:
        sys.exit("\n".join(problems))
    if "--write" in sys.argv:
        merged = {topic: old.get(topic, {}) | new[topic] for topic in new}
        GOLDEN.write_text(json.dumps(merged, indent=1, sort_keys=True) + "\n")
        PAGE.write_text(page())


if __name__ == "__main__":
    main()
