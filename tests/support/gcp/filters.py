"""The `filter` of Compute Engine's list methods: name=value, !=, :, eq/ne with a regular expression, AND/OR/NOT, parentheses
(documentation of images.list). Anything else is refused as Google refuses it: 400."""

import re

from errors import bad

TOKEN = re.compile(r'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|(!=|<=|>=|=|:|<|>)|([^\s()"=!:<>]+))')


def _tokens(text):
    at, out = 0, []
    text = text.rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise bad(f"Invalid value for field 'filter': '{text}'. Invalid list filter expression.")
        at = found.end()
        bracket, quoted, operator, word = found.groups()
        if quoted is not None:
            out.append(("value", re.sub(r"\\(.)", r"\1", quoted) if "\\b" not in quoted else quoted))
        else:
            out.append(("sign", bracket) if bracket else ("operator", operator) if operator else ("word", word))
    return out


def lookup(item, path):
    for name in path.split("."):
        item = item.get(name) if isinstance(item, dict) else None
    return item


class _Parser:
    def __init__(self, text):
        self.text, self.tokens, self.at = text, _tokens(text), 0

    def fail(self):
        raise bad(f"Invalid value for field 'filter': '{self.text}'. Invalid list filter expression.")

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else (None, None)

    def take(self):
        token = self.peek()
        self.at += 1
        return token

    def either(self):
        parts = [self.both()]
        while self.peek() == ("word", "OR"):
            self.take()
            parts.append(self.both())
        return lambda item: any(part(item) for part in parts)

    def both(self):
        parts = [self.one()]
        while self.peek()[0] and self.peek() != ("word", "OR") and self.peek() != ("sign", ")"):
            if self.peek() == ("word", "AND"):
                self.take()
            parts.append(self.one())
        return lambda item: all(part(item) for part in parts)

    def one(self):
        kind, text = self.take()
        if (kind, text) == ("word", "NOT"):
            inner = self.one()
            return lambda item: not inner(item)
        if (kind, text) == ("sign", "("):
            inner = self.either()
            if self.take() != ("sign", ")"):
                self.fail()
            return inner
        if kind != "word":
            self.fail()
        kind, operator = self.take()
        if kind == "word" and operator in ("eq", "ne"):
            return self.regex(text, operator)
        if kind != "operator":
            self.fail()
        kind, value = self.take()
        if kind not in ("word", "value"):
            self.fail()
        return self.compare(text, operator, value)

    def regex(self, path, operator):
        kind, value = self.take()
        if kind not in ("word", "value"):
            self.fail()
        try:
            pattern = re.compile(value)
        except re.error:
            self.fail()
        same = operator == "eq"
        return lambda item: bool(pattern.fullmatch(_text(lookup(item, path)))) == same

    def compare(self, path, operator, value):
        def has(item):
            found = lookup(item, path)
            if value == "*":
                return found is not None
            if isinstance(found, dict):
                return value in found
            text = _text(found)
            return text.startswith(value[:-1]) if value.endswith("*") else value.lower() in text.lower()

        tests = {"=": lambda item: _text(lookup(item, path)) == value, "!=": lambda item: _text(lookup(item, path)) != value,
                 ":": has, "<": lambda item: lookup(item, path) is not None and _text(lookup(item, path)) < value,
                 ">": lambda item: lookup(item, path) is not None and _text(lookup(item, path)) > value,
                 "<=": lambda item: lookup(item, path) is not None and _text(lookup(item, path)) <= value,
                 ">=": lambda item: lookup(item, path) is not None and _text(lookup(item, path)) >= value}
        return tests[operator]


def _text(value):
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def compile_filter(text):
    """A predicate of a resource."""
    if not text.strip():
        return lambda item: True
    parser = _Parser(text)
    test = parser.either()
    if parser.peek()[0]:
        parser.fail()
    return test
