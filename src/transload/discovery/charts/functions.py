"""The functions of templates that decide how an image is named: Go's own, sprig's and Helm's, by their documentation.

A function that is not here is unknown, and so is what it gives.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator

from transload.discovery.charts.worth import GAP, UNKNOWN, Ref, Worth, as_text, as_yaml, child, items, plain, truth

_NUMBER = re.compile(r"[+-]?[0-9._]*[0-9][0-9._eExXa-fA-F]*")


def _printf(form: str, *arguments: Worth) -> str:
    left = iter(arguments)
    return re.sub(
        r"%(?:%|[-+ #0]*\d*(?:\.\d+)?[a-zA-Z])",
        lambda match: "%" if match[0] == "%%" else _formatted(match[0][-1], next(left, UNKNOWN)),
        form,
    )


def _formatted(verb: str, value: Worth) -> str:
    text = as_text(value)
    return f'"{text}"' if verb == "q" else text


def _indent(count: str, text: str) -> str:
    blanks = " " * min(int(count), 80) if count.isdigit() else ""
    return "\n".join(blanks + line for line in text.split("\n"))


def _trunc(count: str, text: str) -> str:
    if not re.fullmatch(r"-?\d{1,6}", count):
        return GAP
    return text[: int(count)] if int(count) >= 0 else text[int(count) :]


TEXT: dict[str, Callable[..., str]] = {
    "quote": lambda *texts: " ".join(f'"{text}"' for text in texts),
    "squote": lambda *texts: " ".join(f"'{text}'" for text in texts),
    "toString": lambda text: text,
    "print": lambda *texts: "".join(texts),
    "println": lambda *texts: " ".join(texts) + "\n",
    "trim": str.strip,
    "trimAll": lambda letters, text: text.strip(letters),
    "trimPrefix": lambda part, text: text.removeprefix(part),
    "trimSuffix": lambda part, text: text.removesuffix(part),
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "nospace": lambda text: "".join(text.split()),
    "replace": lambda old, new, text: text.replace(old, new) if old and len(text) * len(new) < 1 << 22 else GAP,
    "trunc": _trunc,
    "cat": lambda *texts: " ".join(texts),
    "indent": _indent,
    "nindent": lambda count, text: "\n" + _indent(count, text),
    "b64enc": lambda _: GAP,
}
"""Functions of texts."""


def _default(instead: Worth, value: Worth = None) -> Worth:
    known = truth(value)
    return value if known else instead if known is False else UNKNOWN


def _coalesce(*values: Worth) -> Worth:
    for value in values:
        known = truth(value)
        if known is not False:
            return value if known else UNKNOWN
    return None


def _and(*values: Worth) -> Worth:
    known = [truth(value) for value in values]
    if False in known:
        return values[known.index(False)]
    return UNKNOWN if None in known else values[-1]


def _or(*values: Worth) -> Worth:
    known = [truth(value) for value in values]
    if True in known:
        first = known.index(True)
        return values[first] if None not in known[:first] else UNKNOWN
    return UNKNOWN if None in known else values[-1]


def _not(value: Worth) -> Worth:
    known = truth(value)
    return UNKNOWN if known is None else not known


def _eq(value: Worth, *others: Worth) -> Worth:
    text, *texts = (as_text(item) for item in (value, *others))
    if GAP in text or any(GAP in other for other in texts):
        return UNKNOWN
    return text in texts


def _ne(one: Worth, other: Worth) -> Worth:
    return _not(_eq(one, other))


def _ternary(true: Worth, false: Worth, switch: Worth) -> Worth:
    known = truth(switch)
    return UNKNOWN if known is None else true if known else false


def _dict(*pairs: Worth) -> Worth:
    return dict(zip((as_text(key) for key in pairs[::2]), pairs[1::2], strict=False))


def _get(value: Worth, *keys: Worth) -> Worth:
    for key in keys:
        pairs = items(value)
        if pairs is None:
            return UNKNOWN
        if isinstance(value, dict) or (isinstance(value, Ref) and isinstance(value.tree, dict)):
            value = child(value, as_text(key))
        else:
            position = as_text(key)
            inside = position.isdigit() and len(position) < 9 and int(position) < len(pairs)
            value = pairs[int(position)][1] if inside else UNKNOWN
    return value


def _dig(*words: Worth) -> Worth:
    *keys, instead, value = words
    found = _get(value, *keys) if items(value) is not None else UNKNOWN
    return instead if found is None else found


def _has_key(value: Worth, key: Worth) -> Worth:
    pairs = items(value)
    return UNKNOWN if pairs is None else as_text(key) in {as_text(name) for name, _ in pairs}


def _has(item: Worth, value: Worth) -> Worth:
    pairs = items(value)
    return UNKNOWN if pairs is None else as_text(item) in {as_text(found) for _, found in pairs}


def _merge(*values: Worth) -> Worth:
    """`merge`: the first one precedes. Only for mappings that are made in templates or come from the values."""
    whole: dict[Worth, Worth] = {}
    for value in reversed(values):
        pairs = items(value)
        if pairs is None:
            return UNKNOWN
        whole |= dict(pairs)
    return whole


def _join(between: Worth, value: Worth) -> Worth:
    pairs = items(value)
    return UNKNOWN if pairs is None else as_text(between).join(as_text(item) for _, item in pairs)


def _split(between: Worth, text: Worth) -> Worth:
    letters = as_text(between)
    return list(as_text(text).split(letters)) if letters else UNKNOWN


def _length(value: Worth) -> Worth:
    pairs = items(value)
    return len(pairs) if pairs is not None else UNKNOWN


def _first(value: Worth) -> Worth:
    pairs = items(value)
    return pairs[0][1] if pairs else UNKNOWN


def _last(value: Worth) -> Worth:
    pairs = items(value)
    return pairs[-1][1] if pairs else UNKNOWN


def _append(value: Worth, item: Worth) -> Worth:
    pairs = items(value)
    return UNKNOWN if pairs is None else [*(other for _, other in pairs), item]


def _kind(value: Worth) -> Worth:
    """What Go calls the kind of a value. A text that may be a number in YAML has none that is known."""
    value = plain(value)
    tree = value.tree if isinstance(value, Ref) else value
    if isinstance(tree, str):
        return UNKNOWN if GAP in tree or _NUMBER.fullmatch(tree) else "string"
    kinds = {dict: "map", list: "slice", bool: "bool", int: "int", type(None): "invalid"}
    return kinds.get(type(tree), UNKNOWN)


def _kind_is(kind: Worth, value: Worth) -> Worth:
    return _eq(_kind(value), kind)


def _type_is(kind: Worth, value: Worth) -> Worth:
    """For plain types, the type is called as the kind is."""
    return _kind_is(kind, value) if as_text(kind) in {"string", "bool"} else UNKNOWN


def _compared(one: Worth, other: Worth, decide: Callable[[int, int], bool]) -> Worth:
    numbers = [_as_int(one), _as_int(other)]
    return UNKNOWN if UNKNOWN in numbers else decide(*numbers)


def _parts(between: Worth, text: Worth) -> Worth:
    """`split`: the parts of a text, called `_0`, `_1` and so on."""
    parts = _split(between, text)
    return {f"_{number}": part for number, part in enumerate(parts)} if isinstance(parts, list) else UNKNOWN


def _as_int(value: Worth) -> Worth:
    text = as_text(value)
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) else UNKNOWN


VALUE: dict[str, Callable[..., Worth]] = {
    "default": _default,
    "coalesce": _coalesce,
    "and": _and,
    "or": _or,
    "not": _not,
    "empty": _not,
    "eq": _eq,
    "ne": _ne,
    "ternary": _ternary,
    "dict": _dict,
    "list": lambda *values: list(values),
    "tuple": lambda *values: list(values),
    "get": _get,
    "index": _get,
    "dig": _dig,
    "hasKey": _has_key,
    "has": _has,
    "merge": _merge,
    "mergeOverwrite": lambda *values: _merge(*reversed(values)),
    "deepCopy": lambda value: value,
    "required": lambda _, value: value,
    "toYaml": lambda value: as_yaml(value),
    "toJson": lambda value: as_yaml(value),
    "join": _join,
    "splitList": _split,
    "len": _length,
    "first": _first,
    "last": _last,
    "append": _append,
    "kindIs": _kind_is,
    "kindOf": _kind,
    "typeIs": _type_is,
    "gt": lambda one, other: _compared(one, other, operator.gt),
    "ge": lambda one, other: _compared(one, other, operator.ge),
    "lt": lambda one, other: _compared(one, other, operator.lt),
    "le": lambda one, other: _compared(one, other, operator.le),
    "split": _parts,
    "int": _as_int,
    "int64": _as_int,
    "contains": lambda part, text: as_text(part) in as_text(text) if GAP not in as_text(text) else UNKNOWN,
    "hasPrefix": lambda part, text: as_text(text).startswith(as_text(part)) if GAP not in as_text(text) else UNKNOWN,
    "hasSuffix": lambda part, text: as_text(text).endswith(as_text(part)) if GAP not in as_text(text) else UNKNOWN,
    "lookup": lambda *_: {},
    "fail": lambda *_: UNKNOWN,
}
"""Functions of values of any kind. `lookup` finds nothing without a cluster, as with `helm template`."""


def call(name: str, arguments: list[Worth]) -> Worth:
    """What a function gives for these arguments; unknown for one that is not here, and for wrong arguments.

    sprig has most functions a second time as `mustMerge`, which fail where the first ones go on.
    """
    if name.startswith("must") and name not in VALUE:
        name = name[4:5].lower() + name[5:]
    try:
        if name in TEXT:
            return TEXT[name](*(as_text(value) for value in arguments))
        if name == "printf":
            return _printf(as_text(arguments[0]), *arguments[1:])
        return VALUE[name](*arguments) if name in VALUE else UNKNOWN
    except (TypeError, ValueError, IndexError):  # too many or too few arguments, or of a wrong kind
        return UNKNOWN


def references(value: Worth, depth: int = 0) -> Iterator[Ref]:
    """The values of the chart that stand in a value."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (dict, list)) and depth < 4:  # a context that is handed on has the whole chart in it
        for item in value.values() if isinstance(value, dict) else value:
            yield from references(item, depth + 1)
