"""What the programs here say: Chinese, or English where LANG begins with en."""

import os

ENGLISH = os.environ.get("LANG", "").startswith("en")


def say(chinese: str, english: str) -> str:
    return english if ENGLISH else chinese
