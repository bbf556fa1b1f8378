"""Lists as CVAT gives them: filtered by JSON logic, sorted, a page at a time."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

PAGE = 10
"""Entries of a page, if a client does not say how many."""

SIMPLE = ("task_id", "project_id", "type", "state", "stage", "status", "name", "mode")
"""What a query can ask for without a filter."""

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda one, other: bool(one == other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    "in": lambda one, others: one in others,
}

Entry = dict[str, Any]


class UnknownTermError(ValueError):
    """A filter names what is no field."""


class NoSuchPageError(ValueError):
    """There are fewer pages."""


def choose(found: Sequence[Entry], query: Mapping[str, str]) -> list[Entry]:
    """Return the entries that a query wants, the newest first unless it says how to sort.

    A filter that is no JSON raises ValueError, one with an unknown field UnknownTermError.
    """
    chosen = [
        one for one in found if all(str(one.get(k)) == query[k] for k in SIMPLE if k in query)
    ]
    if text := query.get("filter"):
        rule = json.loads(text)
        chosen = [one for one in chosen if fits(rule, one)]
    chosen.sort(key=lambda one: one["id"], reverse=True)
    for word in reversed(query.get("sort", "").split(",")):
        key = word.removeprefix("-")
        if all(key in one for one in chosen):
            chosen.sort(key=lambda one: one[key], reverse=word.startswith("-"))
    return chosen


def fits(rule: Mapping[str, Any], one: Entry) -> bool:
    """Tell whether an entry fits a rule of JSON logic.

    >>> fits({"and": [{"in": [{"var": "id"}, [3, 12]]}, {"!": {"==": [{"var": "id"}, 3]}}]},
    ...      {"id": 12})
    True
    """
    [(operator, terms)] = rule.items()
    if operator == "and":
        return all(fits(term, one) for term in terms)
    if operator == "or":
        return any(fits(term, one) for term in terms)
    if operator == "!":
        return not fits(terms, one)
    name, known = terms[0]["var"], terms[1]
    if name not in one:
        raise UnknownTermError(name)
    value = one[name]
    if name.endswith("_date"):
        value, known = (datetime.fromisoformat(text) for text in (value, known))
    return COMPARE[operator](value, known)


def page(found: Sequence[Entry], query: Mapping[str, str], url: str, largest: int) -> Entry:
    """Return a page with links to the next and the one before; url is the list's own.

    largest: a page has no more entries, whatever the query asks for
    A page that is not there raises NoSuchPageError.
    """
    size, number = min(int(query.get("page_size", PAGE)), largest), int(query.get("page", 1))
    pages = max(1, -(-len(found) // size))
    if not 1 <= number <= pages:
        raise NoSuchPageError
    return {
        "count": len(found),
        "next": link(query, url, number + 1) if number < pages else None,
        "previous": link(query, url, number - 1) if number > 1 else None,
        "results": list(found[(number - 1) * size : number * size]),
    }


def link(query: Mapping[str, str], url: str, number: int) -> str:
    """Return the address of another page of the same list, as CVAT writes it.

    >>> link({"sort": "-id", "page": "1"}, "http://cvat/api/tasks", 2)
    'http://cvat/api/tasks?page=2&sort=-id'
    >>> link({"page": "2"}, "http://cvat/api/tasks", 1)
    'http://cvat/api/tasks'
    """
    words = {name: value for name, value in query.items() if name != "page"}
    if number > 1:
        words["page"] = str(number)
    return url + (f"?{urlencode(sorted(words.items()))}" if words else "")
