"""The query parameter `fields` of a partial answer: "a,b/c,items(name,size)" (documentation, "Partial responses")."""

from errors import bad


def _parse(text, at=0, depth=0):
    tree, name = {}, ""
    node = tree

    def close(inner=None):
        nonlocal node, name
        if name:
            node[name] = inner
        node, name = tree, ""

    while at < len(text):
        sign = text[at]
        at += 1
        if sign == ",":
            close()
        elif sign == "/":
            if not isinstance(node.get(name), dict):
                node[name] = {}
            node, name = node[name], ""
        elif sign == "(":
            inner, at = _parse(text, at, depth + 1)
            close(inner)
        elif sign == ")":
            if not depth:
                raise bad(f"Invalid field selection {text}", "invalidParameter")
            close()
            return tree, at
        else:
            name += sign
    if depth:
        raise bad(f"Invalid field selection {text}", "invalidParameter")
    close()
    return tree, at


def _apply(value, tree):
    if isinstance(value, list):
        return [_apply(entry, tree) for entry in value]
    if not isinstance(value, dict) or tree is None or "*" in tree:
        return value
    return {k: _apply(v, tree[k]) for k, v in value.items() if k in tree}


def select(request, value):
    """The value with only the fields that were asked for."""
    wanted = request.query.get("fields")
    return _apply(value, _parse(wanted)[0]) if wanted else value
