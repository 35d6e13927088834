"""`make compat CORPUS=FOLDER`: labctl beside `docker compose config` and tshark on files that nobody here wrote.

A folder in CORPUS is a project; its files may lie as deep in it as they like. Nothing of a corpus is ever part of this
repository; what a trial found is written into docs/compatibility.md, each kind of file into a section of its own.

model.py          what a trial gives, and how many files are tried at the same time
document.py       docs/compatibility.md
compose.py        Compose files
captures.py       captures
tshark.py         tshark's view of them
packet_fields.py  one packet's values, both ways, and why they may differ
tcp_words.py      what TCP does, in the words of both
"""
