"""What is measured: a file for each, whose `measure` gives results; bench/__main__.py names them."""
