"""Scripted faults: rules that say what goes wrong with the Nth request that matches. README.md lists the actions.

A rule: {"method": "PUT", "path": REGEX, "nth": 1, "times": 1, "action": ACTION, ...what the action takes}. method and
path may be left out; path is searched in "/path?query". nth counts the matching requests since the rule was made,
times says for how many in a row it holds (0: for all that follow). Of several rules the first that is due fires.
"""

import re
import threading

ACTIONS = {
    # action: what it takes
    "status": {"status", "retry_after", "reason", "message", "domain", "persist"},
    "answer": {"status", "headers", "body"},
    "cut-before-body": {"reset"},
    "cut-mid-body": {"bytes", "reset"},
    "cut-after-body": {"reset"},
    "drop-after": {"reset"},
    "close-mid-answer": {"bytes", "reset"},
    "short-body": {"bytes"},
    "slow": {"delay", "rate"},
    "wrong-crc32c": set(),
    "corrupt-answer": set(),
    "corrupt-upload": set(),
    "short-308": {"persist"},
    "gone": set(),
    "hold": set(),
    "hold-after": set(),
    "operation-error": {"code", "message", "status"},
}
COMMON = {"method", "path", "nth", "times", "action"}


class Fault:
    def __init__(self, rule, number):
        action = rule.get("action")
        if action not in ACTIONS:
            raise ValueError(f"action is one of {', '.join(sorted(ACTIONS))}, not {action!r}")
        if unknown := set(rule) - COMMON - ACTIONS[action]:
            raise ValueError(f"{action}: unknown: {', '.join(sorted(unknown))}")
        if action == "answer" and "status" not in rule:
            raise ValueError("answer: status is missing")
        self.rule, self.number, self.action = rule, number, action
        try:
            self.method, self.path = rule.get("method"), re.compile(rule.get("path", ""))
        except re.error as error:
            raise ValueError(f"path: {error}") from None
        self.nth, self.times = int(rule.get("nth", 1)), int(rule.get("times", 1))
        if self.nth < 1 or self.times < 0:
            raise ValueError("nth counts from 1, times from 0")
        self.seen = self.fired = 0

    def due(self, method, target):
        if (self.method and self.method != method) or not self.path.search(target):
            return False
        self.seen += 1
        return self.seen >= self.nth and (not self.times or self.seen < self.nth + self.times)

    def get(self, key, default=None):
        return self.rule.get(key, default)

    def report(self):
        return {"id": self.number, "seen": self.seen, "fired": self.fired, **self.rule}


class Faults:
    def __init__(self):
        self.lock, self.rules, self.count = threading.Condition(), [], 0

    def add(self, rules):
        made = [Fault(rule, self.count + i + 1) for i, rule in enumerate(rules if isinstance(rules, list) else [rules])]
        with self.lock:
            self.count += len(made)
            self.rules += made
        return [fault.number for fault in made]

    def clear(self):
        """Forgets the rules; requests that are held end without an answer."""
        with self.lock:
            self.rules = []
            self.lock.notify_all()

    def match(self, method, target):
        """The rule that is due, or None. Every rule counts the request, whichever fires."""
        with self.lock:
            due = [rule for rule in self.rules if rule.due(method, target)]
            if due:
                due[0].fired += 1
            return due[0] if due else None

    def hold(self, fault):
        with self.lock:
            self.lock.wait_for(lambda: fault not in self.rules)

    def report(self):
        with self.lock:
            return [rule.report() for rule in self.rules]
