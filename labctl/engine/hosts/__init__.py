"""The machines that `labctl hosts add` was told of, and the engines on them."""
