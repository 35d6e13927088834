"""What IP carries."""
