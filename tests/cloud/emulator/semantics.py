"""The emulator's own semantics, one case after the other, in TAP. ../emulator-check runs it."""

import sys
import tempfile

import access_cases
import faults_cases
import images_cases
import objects_cases
import recorded_cases
import sessions_cases
import tokens_cases
from client import Emulator, Tap

MODULES = (
    objects_cases,
    sessions_cases,
    faults_cases,
    images_cases,
    access_cases,
    tokens_cases,
    recorded_cases,
)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        emulator = Emulator(
            folder,
            "--bucket",
            "bucket-1",
            "--credentials",
            f"{folder}/credentials",
            "--set",
            "operation_seconds=0.05",
        )
        try:
            defaults = emulator.control("GET", "config")
            for module in MODULES:
                for case in module.CASES:
                    emulator.control("POST", "reset")
                    emulator.control("POST", "config", {k: v for k, v in defaults.items() if k != "accounts"})
                    tap.run(case, emulator)
        finally:
            emulator.kill()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
