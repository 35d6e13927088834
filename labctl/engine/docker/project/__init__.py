"""A whole project on a Docker engine: its networks, volumes and containers made and started over the API."""
