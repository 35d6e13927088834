"""Commands about runs that were saved: save, open, diff, replay; and `--run` of those that look."""
