"""One engine that is several: the same containers, streams and projects, on several machines.

What the rooms above ask of an engine (labctl.engine.model.Engine) is asked here of the one that has the container, or
of all of them at once. A lab's networks are overlays of the swarm that the machines are in; everything else is each
engine's own. Containers are made through each one's API and are no services of the swarm.
"""
