"""What `make bench` runs: labctl and its nodes beside plain Compose and plain asyncio, on the same machine at once.

`measurements` holds a file for each; `model` says what a result is, `commands` runs others' programs, `project` is a
Compose project that is always removed again, `report` prints.
"""
