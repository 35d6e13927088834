"""What Lab and Node are made of: each module holds what is done to one side of them."""
