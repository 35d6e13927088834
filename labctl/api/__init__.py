"""What programs call: a lab, its nodes, and what can be done with them (docs/api.md).

Whatever the command line does, it does by the same functions of labctl.lab. Nothing here prints, reads labctl's own
variables of the environment, looks for a terminal or ends the process; every wait has a limit, and can be cancelled.
"""
