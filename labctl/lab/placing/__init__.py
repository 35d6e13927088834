"""What a lab is to be, and where it goes on this machine: its configuration, its name, subnets and ports."""
