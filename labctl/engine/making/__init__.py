"""What Compose would ask the engine for: requests from a configuration that Compose has read. No I/O.

labctl makes a project itself where it knows all that its configuration holds (`known`); a service's container, a
network and a volume are then asked for in Compose's own words, so that Compose takes them for its own.
"""
