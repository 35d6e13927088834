"""Lessons: Markdown pages that labctl plays. It asks for a prediction, does the act, shows what was on the wire, and
judges by that.

`finding` knows where lessons lie, `reading` makes a `model.Lesson` of a file, `evidence` is what expressions ask of a
lab, `playing` plays, `validating` tries a lesson on a lab from end to end.
"""
