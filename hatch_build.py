"""What goes into the wheel beside the package: what labs are made of, below labctl/data.

Not by `force-include` in pyproject.toml: that would copy it for an editable installation, too, which reads the
checkout.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = ("compose.yaml", "services", "topologies", "lessons")  # labctl.topology.shipped looks for these


class WithLabs(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"].update({name: f"labctl/data/{name}" for name in SHIPPED})
