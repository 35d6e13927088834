"""A whole run, for others to show: the document of the page, and Chrome's trace events."""
