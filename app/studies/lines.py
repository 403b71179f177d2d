"""YAML as values that remember their lines; nothing but plain data is built."""

from __future__ import annotations

from typing import Any

import yaml

from app.studies.faults import Fault, Place, StudyFileError, refuse

MAX_BYTES = 512 * 1024
MAX_DEPTH = 12


class Lines:
    """Where each key and item of a YAML document stands."""

    def __init__(self) -> None:
        self._lines: dict[Place, int] = {}

    def mark(self, place: Place, line: int) -> None:
        """Remember the line, counted from 1, of a place."""
        self._lines[place] = line

    def of(self, place: Place) -> int | None:
        """The line of a place, or of the nearest thing around it that has one."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place)


def read_yaml(text: str, name: str) -> tuple[dict[str, Any], Lines]:
    """Parse one YAML mapping.

    Aliases are refused, since a few lines of them unfold into gigabytes, and so are keys given twice, of which a
    plain loader would silently drop the first.

    Args:
        text: The document.
        name: What to call it in errors.

    Raises:
        StudyFileError: It is too large, no YAML, no mapping, too deep, or has aliases, tags or a key twice.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise refuse(name, f"the file is larger than {MAX_BYTES // 1024} KB; a study is a few pages of text.")
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, (yaml.AliasToken, yaml.TagToken)):
                kind = "an alias" if isinstance(token, yaml.AliasToken) else "a tag"
                line = token.start_mark.line + 1
                raise StudyFileError(name, [Fault((), f"{kind} of YAML is used here; write the value out.", line)])
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be parsed"
        fault = Fault(
            (), f"this is not YAML ({problem}); check indentation and quotes.", mark.line + 1 if mark else None
        )
        raise StudyFileError(name, [fault]) from None
    except yaml.YAMLError as error:
        raise refuse(name, f"this is not YAML ({' '.join(str(error).split())[:200]}).") from None
    if not isinstance(node, yaml.MappingNode):
        raise refuse(name, "a study is a mapping of keys to values; the first line could be `slug: my-study`.")
    lines, faults = Lines(), []
    lines.mark((), node.start_mark.line + 1)
    values = _build(node, (), lines, faults, yaml.SafeLoader(""))
    if faults:
        raise StudyFileError(name, faults)
    return values, lines


def _build(node: yaml.Node, place: Place, lines: Lines, faults: list[Fault], loader: yaml.SafeLoader) -> Any:
    line = node.start_mark.line + 1
    if len(place) > MAX_DEPTH:
        faults.append(Fault(place[:2], f"this is nested deeper than {MAX_DEPTH} levels.", line))
        return None
    if isinstance(node, yaml.SequenceNode):
        items = []
        for number, item in enumerate(node.value):
            lines.mark((*place, number), item.start_mark.line + 1)
            items.append(_build(item, (*place, number), lines, faults, loader))
        return items
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, at = str(key_node.value), key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                faults.append(Fault(place, "a key must be a plain word.", at))
                continue
            if key in values:
                faults.append(Fault((*place, key), "this key is given twice; keep one.", at))
            lines.mark((*place, key), at)
            values[key] = _build(value_node, (*place, key), lines, faults, loader)
        return values
    try:
        return loader.construct_object(node)
    except (ValueError, OverflowError, yaml.YAMLError):
        faults.append(Fault(place, f"{node.value[:60]!r} cannot be read as a value; put it in quotes.", line))
        return None
