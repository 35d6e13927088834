"""Packets as text and as data: lines, lists, layers."""
