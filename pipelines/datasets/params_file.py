"""Edits of params.yaml as text: comments, order, quotes, anchors and line ends stay as they are.

An edit replaces only the lines that it must. What it wrote is read again and compared with what
it was to say, so that a file that is written in a way not foreseen here is refused, not damaged.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from pipelines.datasets import params
from pipelines.errors import PipelineError

Values = Mapping[str, str | int]
Entry = tuple[ScalarNode, Node]
"""A key and its value."""


def add_dataset(text: str, name: str, values: Values, split: str | None = None) -> str:
    """Return text with one more dataset, at the end of `datasets` and of a split's."""
    wanted = _data(text)
    wanted["datasets"] = {**(wanted.get("datasets") or {}), name: dict(values)}
    text = _Document(text).add(("datasets",), name, values)
    if split is not None:
        section = dict(wanted["splits"][split] or {})
        section["datasets"] = [*(section.get("datasets") or []), name]
        wanted["splits"][split] = section
        text = _Document(text).append(("splits", split), "datasets", name)
    return _checked(text, wanted)


def add_labels(text: str, labels: Sequence[str]) -> str:
    """Return text with labels at the end of `annotations.valid-labels`."""
    wanted = _data(text)
    section = dict(wanted.get("annotations") or {})
    section["valid-labels"] = [*(section.get("valid-labels") or []), *labels]
    wanted["annotations"] = section
    for label in labels:
        text = _Document(text).append(("annotations",), "valid-labels", quote(label))
    return _checked(text, wanted)


def quote(label: str) -> str:
    """Return a label as YAML takes it for text, whatever it is."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", label, re.ASCII)
    words = ("yes", "no", "on", "off", "true", "false", "null", "y", "n")
    return label if plain and label.lower() not in words else "'" + label.replace("'", "''") + "'"


def remove_dataset(text: str, name: str) -> str:
    """Return text without a dataset; it is taken out of all splits, too."""
    wanted = _data(text)
    require(wanted, name)
    del wanted["datasets"][name]
    text = _Document(text).remove(("datasets", name))
    for split, section in (wanted.get("splits") or {}).items():
        listed = (section or {}).get("datasets") or []
        for place in reversed([n for n, each in enumerate(listed) if _dataset(each) == name]):
            del listed[place]
            text = _Document(text).remove(("splits", split, "datasets", place))
    return _checked(text, wanted)


def rename_dataset(text: str, old: str, new: str) -> str:
    """Return text in which a dataset, its folder and its place in splits have a new name."""
    wanted = _data(text)
    require(wanted, old)
    document = _Document(text)
    document.replace_key(("datasets", old), new)
    entry = wanted["datasets"][old]
    for key in ("source", "export"):
        if str(entry.get(key, "")).startswith(f"data/{old}/"):
            entry[key] = entry[key].replace(f"data/{old}/", f"data/{new}/", 1)
            document.replace_value(("datasets", old, key), f"data/{old}/", f"data/{new}/")
    datasets = wanted["datasets"]
    wanted["datasets"] = {new if key == old else key: each for key, each in datasets.items()}
    for split, section in (wanted.get("splits") or {}).items():
        listed = (section or {}).get("datasets") or []
        for place in [n for n, each in enumerate(listed) if _dataset(each) == old]:
            listed[place] = listed[place].replace(old, new, 1)
            document.replace_value(("splits", split, "datasets", place), old, new)
    return _checked(document.edited(), wanted)


def set_export(text: str, name: str, path: str) -> str:
    """Return text in which a dataset's export is another file."""
    wanted = _data(text)
    require(wanted, name)
    old, wanted["datasets"][name]["export"] = wanted["datasets"][name]["export"], path
    document = _Document(text)
    document.replace_value(("datasets", name, "export"), old, path)
    return _checked(document.edited(), wanted)


def require(values: Any, name: str) -> None:
    """Refuse a name that none of the datasets has."""
    datasets = values.get("datasets") if isinstance(values, dict) else None
    if not isinstance(datasets, dict) or name not in datasets:
        known = ", ".join(map(str, datasets or {})) or "none"
        raise PipelineError(f"params.yaml: there is no dataset {name}; there are: {known}")


def _dataset(part: Any) -> str:
    """Return the dataset that an entry of a split names."""
    return str(part).partition("[")[0]


def _data(text: str) -> Any:
    """Return what the file says; what an alias stands for is a copy of its own."""
    return _copy(params.load(text))


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value


def _checked(text: str, wanted: Any) -> str:
    """Return text if it says what it is to say."""
    try:
        found = _data(text)
    except PipelineError:
        found = None
    if found != wanted:
        text = "is written in a way that cannot be edited here (aliases, tags, or braces around all"
        raise PipelineError(f"params.yaml: {text}); edit it by hand, then run `registry splits`")
    return text


@dataclass(frozen=True)
class _Splice:
    start: int
    end: int
    text: str


class _Document:
    """A YAML file: its text, its nodes, which know their places in it, and what is to change."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.root = yaml.compose(text, Loader=yaml.SafeLoader)
        self.splices: list[_Splice] = []

    def add(self, place: tuple[str, ...], key: str, values: Values) -> str:
        """Add a key with values to the mapping at place; make that if it is not there."""
        block = [f"{key}:", *(f"  {each}: {value}" for each, value in values.items())]
        flow = f"{key}: {{{', '.join(f'{each}: {value}' for each, value in values.items())}}}"
        return self._add(place, block, flow)

    def append(self, place: tuple[str, ...], key: str, item: str) -> str:
        """Append an item to the list `key` of the mapping at place."""
        listed = self._entry((*place, key))
        if listed is None:
            return self._add(place, [f"{key}: [{item}]"], f"{key}: [{item}]")
        name, node = listed
        if isinstance(node, SequenceNode) and node.value:
            last = _content_end(node.value[-1])
            if node.flow_style:
                self._splice(last, last, f", {item}")
            else:
                self._insert_lines(last, self._column(node.value[-1], "-"), [f"- {item}"])
        else:
            self._fill(name, node, f" [{item}]")
        return self.edited()

    def remove(self, place: tuple[str | int, ...]) -> str:
        """Remove a key with its value, or an item of a list."""
        parent = self._entry(place[:-1])
        assert parent
        name, node = parent
        parts: list[Entry] = (
            node.value
            if isinstance(node, MappingNode)
            else [(each, each) for each in getattr(node, "value", [])]
        )
        at = next(
            n for n, (key, _) in enumerate(parts) if place[-1] in (n, getattr(key, "value", ""))
        )
        key, value = parts[at]
        if _is_flow(node):
            self._remove_flow(parts, at)
            return self.edited()
        start = self._line_start(key.start_mark.index)
        column = key.start_mark.column if isinstance(node, MappingNode) else len(self.text)
        end = self._after_comments(self._line_end(_content_end(value)), column)
        self._splice(start, end, "")
        if len(parts) == 1:
            colon = self.text.index(":", name.end_mark.index) + 1
            self._splice(colon, colon, " {}" if isinstance(node, MappingNode) else " []")
        return self.edited()

    def replace_key(self, place: tuple[str | int, ...], new: str) -> None:
        """Give a key another name."""
        entry = self._entry(place)
        assert entry
        self._replace_in(entry[0], entry[0].value, new)

    def replace_value(self, place: tuple[str | int, ...], old: str, new: str) -> None:
        """Replace the first occurrence of some text in a value."""
        entry = self._entry(place)
        assert entry
        self._replace_in(entry[1], old, new)

    def edited(self) -> str:
        """Return the text with all changes made."""
        text = self.text
        for each in sorted(self.splices, key=lambda each: each.start, reverse=True):
            text = text[: each.start] + each.text + text[each.end :]
        return text

    def _add(self, place: tuple[str, ...], block: list[str], flow: str) -> str:
        entry = self._entry(place)
        if entry is None:  # only a whole section can lack
            self._insert_lines(
                len(self.text), 0, [f"{place[0]}:", *(f"  {each}" for each in block)]
            )
            return self.edited()
        name, node = entry
        if isinstance(node, MappingNode) and node.value:
            last = _content_end(node.value[-1][1])
            if node.flow_style:
                self._splice(last, last, f", {flow}")
            else:
                column = node.value[0][0].start_mark.column
                self._insert_lines(last, column, block)
        else:
            self._fill(name, node, "")
            end = self.splices[-1].end
            self._insert_lines(end, name.start_mark.column + 2, block)
        return self.edited()

    def _fill(self, name: ScalarNode, node: Node, text: str) -> None:
        """Replace an empty value, or the lack of one, behind a key."""
        start = self.text.index(":", name.end_mark.index) + 1
        self._splice(start, max(start, node.end_mark.index), text)

    def _remove_flow(self, parts: list[Entry], at: int) -> None:
        start, end = parts[at][0].start_mark.index, _content_end(parts[at][1])
        if at + 1 < len(parts):
            end = parts[at + 1][0].start_mark.index
        elif at:
            start = _content_end(parts[at - 1][1])
        self._splice(start, end, "")

    def _replace_in(self, node: Node, old: str, new: str) -> None:
        start, end = node.start_mark.index, node.end_mark.index
        self._splice(start, end, self.text[start:end].replace(old, new, 1))

    def _insert_lines(self, after: int, column: int, lines: list[str]) -> None:
        """Insert lines below the one that a place is in."""
        end = self._line_end(after)
        text = "".join(f"{' ' * column}{line}{self.newline}" for line in lines)
        complete = end == 0 or self.text[end - 1] == "\n"
        self._splice(end, end, text if complete else self.newline + text)

    def _splice(self, start: int, end: int, text: str) -> None:
        self.splices.append(_Splice(start, end, text))

    def _entry(self, place: tuple[str | int, ...]) -> Entry | None:
        """Return the key and value at a place; of an item of a list, the item twice."""
        found: tuple[Any, Any] = (None, self.root)
        for part in place:
            node = found[1]
            if isinstance(part, int):
                found = (node.value[part], node.value[part])
                continue
            pairs = node.value if isinstance(node, MappingNode) else []
            entry = next((pair for pair in pairs if pair[0].value == part), None)
            if entry is None:
                return None
            found = entry
        return found

    def _line_start(self, index: int) -> int:
        return self.text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        """Return where the line after the one that has a place begins."""
        if index and self.text[index - 1] == "\n":  # a text of many lines ends with the last one
            return index
        return self.text.find("\n", index) + 1 or len(self.text)

    def _after_comments(self, start: int, column: int) -> int:
        """Return where the comments end that stand below a place and deeper than a column."""
        comment = re.compile(r"( *)#[^\n]*(\n|\Z)")
        while (found := comment.match(self.text, start)) and len(found[1]) > column:
            start = found.end()
        return start

    def _column(self, item: Node, sign: str) -> int:
        start = self._line_start(item.start_mark.index)
        return self.text.index(sign, start) - start


def _content_end(node: Node) -> int:
    """Return where the last character of a node is, comments below it left out."""
    if isinstance(node, ScalarNode) or _is_flow(node) or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _content_end(last[1] if isinstance(node, MappingNode) else last)


def _is_flow(node: Node) -> bool:
    """Tell whether a mapping or list is written in braces or brackets."""
    return isinstance(node, MappingNode | SequenceNode) and bool(node.flow_style)
