"""What is done with machines, before there is a lab on them: looking at them, and making one swarm of them.

labctl.engine.hosts has the list of them, labctl.lab.machine is about this machine.
"""
