"""Errors of lessons and of grading."""

from __future__ import annotations

from labctl.errors.family import FileError, InvalidArgument, LessonError, LessonInvalid
from labctl.errors.kind import Kind, Table

LESSONS: Table = {
    "lesson-missing": Kind(
        LessonError,
        "there is no lesson {name}{near}",
        "name a folder with an en.md, a Markdown file, or one of the built-in lessons: {known}",
        "No built-in lesson has that name, and there is no such file or folder.",
    ),
    "lesson-invalid": Kind(
        LessonInvalid,
        "lesson {name} can't be played as it is written\n{problems}",
        "docs/lessons.md says how a lesson is written; `labctl lesson validate` tries all of it",
        "A lesson's file has mistakes, each told with its file, line and column: what can't be read, names that "
        "nothing has, a check that is never false, a translation that is missing or says something else.",
    ),
    "lesson-language": Kind(
        LessonError,
        "lesson {name} is not there in {language}",
        "it is there in: {known}",
        "A lesson was asked for in a language that it isn't written in.",
    ),
    "lesson-start": Kind(
        LessonError,
        "the lesson can't begin, since `{line}` failed: {why}",
        "",
        "What a lesson needs before its first step could not be done.",
    ),
    "lesson-step": Kind(
        LessonError,
        "there is no step of lesson {name} to look at: {why}",
        "`labctl lesson run {name}` begins it; its steps are: {known}",
        "A step was asked for that the lesson doesn't have, or none has begun yet.",
    ),
    "lesson-needs": Kind(
        LessonError,
        "lesson {name} needs {what}, which is not there",
        "`labctl doctor` says what is missing",
        "A lesson needs something of this machine that it doesn't have.",
    ),
}

GRADES: Table = {
    "no-such-subject": Kind(
        InvalidArgument,
        "there is nothing to grade that is called {name}{near}",
        "{has}, or a file such as SPEC.yaml (docs/grade.md)",
        "`labctl grade` knows some kinds of programs by name, and takes a file that describes another one.",
    ),
    "no-such-check": Kind(
        InvalidArgument,
        "{subject} has no check {name}{near}",
        "its checks are {has}",
        "`--only` names a check that the subject doesn't have.",
    ),
    "spec-invalid": Kind(
        InvalidArgument,
        "{file}:{row}:{column}: {why}",
        "docs/grade.md has the keys, and an example",
        "The file that describes somebody's own protocol has a mistake, at that line and column.",
    ),
    "no-submissions": Kind(
        FileError,
        "{folder} has no folder in it: each submission is one",
        "name the folder that holds the submissions",
        "`labctl grade-all` grades each folder that is in the given one.",
    ),
}
