"""params.yaml: unknown keys, wrong types and duplicate keys are refused by key and line.

A stage describes its section by a frozen dataclass: the field `valid_labels` is the key
`valid-labels`, its type says what may stand there, its default what holds when the key is absent.
"""

from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from stage import sources
from stage.errors import StageError

FOREIGN = ("publish", "splits", "cvat")
"""Sections that belong to other programs: a stage neither reads nor checks them."""

SECTIONS = ("datasets", "frames", "annotations", *FOREIGN)
"""The sections that params.yaml may have; another one is an error, for it may be a slip."""

LIMIT = 1_000_000
"""Bytes of a parameter file; no real one comes near."""

Keys = tuple[str, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Parameters:
    """A parameter file: its values and, for messages, the line of every key."""

    path: Path
    values: dict[str, Any]
    lines: dict[Keys, int]

    def section(self, kind: type[T], *places: Keys) -> T:
        """Return the dataclass kind, filled from the mappings at places; a later one overrides."""
        values: dict[str, Any] = {}
        for place in places:
            values |= self._fields(kind, place)
        for field in fields(kind):  # type: ignore[arg-type]  # any dataclass
            if field.name not in values and field.default is field.default_factory is MISSING:
                raise self.error((*places[0], _key(field.name)), "is missing")
        return kind(**values)

    def value(self, kind: Any, place: Keys, default: T) -> T:
        """Return the one value at place, which must be of a kind; default if it is not there.

        What else stands in its section is not checked.
        """
        section = self.mapping(place[:-1])
        if place[-1] not in section:
            return default
        found: T = self._typed(kind, section[place[-1]], place)
        return found

    def error(self, keys: Keys, text: str) -> StageError:
        """Return the error that names a key and its line, or that of the section it belongs in."""
        line = next(
            (self.lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.lines), 1
        )
        return StageError(f"{self.path}:{line}: {'.'.join(keys)}: {text}")

    def _fields(self, kind: type, place: Keys) -> dict[str, Any]:
        hints = {_key(name): hint for name, hint in get_type_hints(kind).items()}
        values = self.mapping(place)
        for key in values.keys() - hints.keys():
            known = ", ".join(sorted(hints))
            raise self.error((*place, key), f"is no parameter; there are {known}")
        return {
            key.replace("-", "_"): self._typed(hints[key], value, (*place, key))
            for key, value in values.items()
        }

    def mapping(self, place: Keys) -> dict[str, Any]:
        """Return the mapping at place; empty if there is none."""
        value: Any = self.values
        for depth, key in enumerate(place, 1):
            value = value.get(key, {})
            if not isinstance(value, dict):
                raise self.error(place[:depth], "must be a mapping, `key: value` lines")
        return dict(value)

    def _typed(self, kind: Any, value: Any, keys: Keys) -> Any:
        if get_origin(kind) is tuple:
            if not isinstance(value, list):
                raise self.error(keys, f"must be a list, `- ` lines, not {value!r}")
            return tuple(self._typed(get_args(kind)[0], each, keys) for each in value)
        if get_origin(kind) is dict:
            inner = get_args(kind)[1]
            return {k: self._typed(inner, v, (*keys, k)) for k, v in self.mapping(keys).items()}
        if kind is Any:
            return value
        number = kind is float and isinstance(value, int)
        if (isinstance(value, kind) or number) and isinstance(value, bool) == (kind is bool):
            return value
        quotes = "; put it in quotes" if kind is str and not isinstance(value, list | dict) else ""
        raise self.error(keys, f"must be {WORDS[kind]}, not {value!r}{quotes}")


UNREADABLE = (ValueError, KeyError, IndexError, OverflowError)
"""What PyYAML raises besides its own errors, for invalid values and characters."""

WORDS = {str: "text", int: "a whole number", float: "a number", bool: "True or False"}

TAGS = {
    f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null")
}


def _key(field: str) -> str:
    return field.replace("_", "-")


def load(path: Path) -> Parameters:
    """Read a parameter file; only plain YAML, whose top level are the known sections."""
    if sources.check_file(path).stat().st_size > LIMIT:
        raise StageError(f"{path}: is larger than {LIMIT} bytes, so it is no parameter file")
    lines: dict[Keys, int] = {}
    try:
        node = yaml.compose(sources.read_text(path), Loader=_Loader)
        values = _plain(node, (), lines, path)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise StageError(f"{path}:{line}: is no plain YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, *UNREADABLE) as error:
        raise StageError(f"{path}: is no plain YAML: {error or type(error).__name__}") from None
    found = Parameters(path, values if isinstance(values, dict) else {}, lines)
    for key in found.values.keys() - set(SECTIONS):
        raise found.error((key,), f"is no section; there are {', '.join(SECTIONS)}")
    if not found.values:
        raise StageError(f"{path}: has none of the sections {', '.join(SECTIONS)}")
    return found


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without aliases: a few of them can expand to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)


def _plain(node: yaml.Node | None, place: Keys, lines: dict[Keys, int], path: Path) -> Any:
    """Turn a YAML node into dicts, lists and plain values, and note the line of every key."""
    if node is not None and node.tag not in TAGS:
        raise yaml.MarkedYAMLError(
            problem=f"{node.tag} is no plain value", problem_mark=node.start_mark
        )
    if isinstance(node, yaml.MappingNode):
        found = {}
        for key_node, value in node.value:
            key = (*place, str(key_node.value))
            line = key_node.start_mark.line + 1
            if key in lines:
                raise StageError(f"{path}:{line}: {'.'.join(key)}: is here twice; remove one")
            lines[key] = line
            found[key[-1]] = _plain(value, key, lines, path)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*place, str(n)), lines, path) for n, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        try:
            value = _Loader("").construct_object(node)
            str(value)  # a number of too many digits cannot be shown
        except UNREADABLE:  # !!int abc
            text = f"{node.value[:40]!r} is no value; put it in quotes"
            raise yaml.MarkedYAMLError(problem=text, problem_mark=node.start_mark) from None
        return value
    return None
