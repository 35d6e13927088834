"""What comes of what a lab is asked, as data."""
