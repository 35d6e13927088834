"""One packet layer by layer, each field with its bytes."""
