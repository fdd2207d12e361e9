"""What checks made, as jobs on the stage end: the real kind's files of verdicts that are made up."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from pathlib import Path

from tests.service.kinds.verdicts import SMALL, clip_file, clip_found, face_verdict, photo_found, worked

from deepguard.forensics.verdict import Word
from deepguard.media.sample import sample_file
from deepguard.service.kinds.roles import Done
from deepguard.types import Box, Face, Note

AWAY = Face(Box(400.0, 300.0, 450.0, 360.0), 0.8)


@functools.cache
def checked_photo() -> Done:
    """A photo with a suspicious face, and one that cannot be judged."""
    note = Note("not_judged", "faces that could not be judged, which says nothing about them: 1", 1)
    faces = (face_verdict(1), face_verdict(2, Word.CANNOT_JUDGE, AWAY, SMALL))
    return worked(sample_file(), photo_found(*faces, notes=(note,)))


@functools.cache
def checked_by_the_uncalibrated() -> Done:
    """A photo of which only models spoke whose figures are no probabilities."""
    found = photo_found(face_verdict(1, Word.UNCERTAIN))
    return worked(sample_file(), dataclasses.replace(found, report=dataclasses.replace(found.report, threshold=None)))


@functools.cache
def checked_clip() -> Done:
    """A clip with two people."""
    with tempfile.TemporaryDirectory() as folder:
        return worked(clip_file(Path(folder)), clip_found())


@functools.cache
def checked_in_vain() -> Done:
    """A photo in which no face was found."""
    return worked(sample_file(), photo_found(notes=(Note("no_face", "no face was found"),)))
