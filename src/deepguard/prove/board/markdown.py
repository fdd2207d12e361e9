"""A board as a page in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deepguard.prove.board import tables
from deepguard.prove.board.parts import absences, words
from deepguard.prove.board.records import LARGE, MOST, Board, Photo
from deepguard.prove.board.tables import counted, size

LEGEND = """\
All is measured on the written file, read back. A face is what at least two detectors see in the untouched photo. A cell
such as 3/41 means: of 41 faces that this detector finds in the untouched photo, it still finds 3; where several changes
are made for one photo, each counts. "Retry" is an attacker who tries again: threshold 0.3, at half, full and twofold
size. The mean is that of the detectors' shares; in brackets its 95 % interval (Wilson) for as many trials as there are
faces, since detectors that look at the same faces are not independent.

- **before**: found in the untouched photo, of all faces.
- **noise of our size**: the change of the first preset with a random sign for each pixel.
- **paper, own / others**: the published recipe, made for one detector and looked at by it / by the others.
- **paper as faint as ours, own / others**: the same change scaled down until it is as visible as that preset's.
- **held-out**: by a detector that was left out when the change was made; **surrogates**: the same photos and detectors,
  none left out.
- **within ceilings**: every measure of visibility within its ceiling, of all pictures made so. **share of a ceiling**:
  the worst one's, 1 at the ceiling.
- Columns in which not all photos took part say so; their shares are of those photos alone."""


def markdown(board: Board) -> str:
    """Return the whole board in Markdown."""
    close = [photo for photo in board.photos if photo.few_and_large]
    others = [photo for photo in board.photos if not photo.few_and_large]
    parts = [
        "# Protection, measured",
        *_about(board),
        LEGEND,
        *_section(f"1-{MOST} faces of {LARGE:.0f} px or more", close, board),
        *_section("Groups and small faces", others, board),
        *tables.times(board),
        *tables.each_photo(board),
        *absences(board.left_out, board.failed),
    ]
    return "\n\n".join(parts) + "\n"


def _about(board: Board) -> Iterator[str]:
    faces = sum(len(photo.faces) for photo in board.photos)
    left = f", {len(board.left_out)} left out, {len(board.failed)} failed"
    options = "; ".join(f"{name} {words(value)}" for name, value in board.options.items())
    yield f"{board.created}; deepguard {board.version}; {board.machine}."
    yield f"{counted(len(board.photos), 'photo')} with {counted(faces, 'face')}{left}. {options}."
    if not board.complete:
        yield "The run was stopped before its end; the same command goes on."
    if board.missing:
        yield f"Not at hand, so neither attacked nor asked: {', '.join(board.missing)}."


def _section(title: str, photos: Sequence[Photo], board: Board) -> Iterator[str]:
    yield f"## {title}: {size(photos)}"
    groups = [group for group in tables.groups_of(board) if any(tables.made_in(photos, group, board.detectors))]
    if not groups:
        return
    yield "### Still found, as delivered"
    yield tables.delivered(photos, groups, board.detectors)
    yield "### Mean of the detectors' shares, as delivered and after posting"
    yield tables.means(photos, groups, board.detectors)
    for group in groups:
        if group.title in tables.ours(board):
            yield f"### Still found after posting: {group.title}"
            yield tables.posted(photos, group, board.detectors)
    yield from tables.held_out(photos, board)
    yield "### Visibility: median (worst)"
    yield tables.qualities(photos, groups, board.detectors)
