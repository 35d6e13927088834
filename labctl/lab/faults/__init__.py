"""Faults on the links of a lab: rules that are set and taken back, those that a topology has, what they did."""
