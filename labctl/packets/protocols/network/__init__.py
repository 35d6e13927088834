"""What stands behind a link's header: IP, and ARP, which finds who has an address of IPv4."""
