"""What labctl says of packets, layers and rules in other languages than English."""
