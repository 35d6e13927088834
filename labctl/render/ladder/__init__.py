"""A ladder of packets as text, Mermaid, SVG and JSON."""
