"""What a picture of a lab shows, from a file or from what runs."""
