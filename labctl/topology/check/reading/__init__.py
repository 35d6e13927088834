"""A topology's file as values that know where they stand, and what each may hold."""
