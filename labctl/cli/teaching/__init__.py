"""What is taught and marked: lessons, and grades."""
