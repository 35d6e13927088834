"""What is wrong in a topology's file, all at once, each with its line and column. No Docker here.

problems.py   what can be found: one table, which also makes docs/validation.md
source.py     a file's YAML as values that know where they stand
scalars.py    how YAML 1.1, YAML 1.2 and Compose read one unquoted word
keys.py       the keys of a Compose file and of x-labctl, and what each may hold
shapes.py     unknown keys, wrong types
traps.py      words that not every reader of YAML takes for the same
names.py      networks, volumes, services ... that are used and not there
plan.py       who is on which network with which address: from the file, or from what Compose made of it
addresses.py, subnets.py, ports.py, extension.py    what can be wrong with that
compose.py    where in the file Compose's own complaint belongs
whole.py      all of it
"""
