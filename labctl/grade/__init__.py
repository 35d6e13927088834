"""Marks any program, in any language, over real sockets: it runs as a host of a lab of its own, and nodes of ours check
it. docs/grade.md says what is wanted; `subjects` has the tables of checks, `inside` is what runs beside the program."""
