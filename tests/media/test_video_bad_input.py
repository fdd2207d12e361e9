"""Bad clips: one sentence that says what to do, or what can be read with a note; never a hang, never another file."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from tests.media.clips_of import number_of, numbered, write_clip

from deepguard.errors import ClipTooLarge, DeepguardError, InputError, UnreadableClip, UnsupportedClip
from deepguard.media import film, film_course, film_reader
from deepguard.media.video import open_clip

VERBS = ("copy it again", "convert it", "make it smaller", "give a")


def refused(path, kind):
    """The one sentence with which a file is refused."""
    with pytest.raises(InputError) as caught:
        open_clip(path)
    sentence = str(caught.value)
    assert type(caught.value) is kind
    assert path.name in sentence
    assert "\n" not in sentence
    assert any(verb in sentence for verb in VERBS)
    return sentence


def noisy(number):
    """A numbered picture above which noise takes up bytes, so that a file is mostly pictures."""
    picture = numbered(number)
    picture[:32] = np.random.default_rng(number).integers(0, 256, (32, 96, 3), dtype=np.uint8)
    return picture


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")

    def write(name):
        path = folder / name
        front = {"movflags": "faststart"} if name.startswith("front") else {}
        codec = {"avi": "mpeg4", "webm": "libvpx-vp9"}.get(path.suffix[1:], "libx264")
        options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx-vp9" else {}
        return (
            path
            if path.exists()
            else write_clip(path, map(noisy, range(60)), codec=codec, container=front, options=options)
        )

    return write


@pytest.mark.parametrize("name", ["nothing.mp4", "nothing.gif"])
def test_an_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    assert "is empty (0 bytes)" in refused(tmp_path / name, UnreadableClip)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    assert "no such file" in refused(tmp_path / "gone.mp4", UnreadableClip)
    assert "is a directory" in refused(tmp_path, UnreadableClip)


@pytest.mark.parametrize(
    "content", [b"text " * 50, bytes(2000), b"\x89PNG\r\n\x1a\n" + bytes(100), b"\x7fELF" + bytes(99)]
)
def test_what_is_no_clip_is_refused_whatever_its_name_says(tmp_path, content):
    (tmp_path / "clip.mp4").write_bytes(content)
    assert "is not a clip, whatever its name says" in refused(tmp_path / "clip.mp4", UnreadableClip)


@pytest.mark.parametrize(
    "content", [b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", b"ffconcat version 1.0\nfile a.mp4\n"]
)
def test_a_playlist_is_no_clip_and_opens_no_other_file(tmp_path, content):
    (tmp_path / "list.mp4").write_bytes(content)
    assert "is not a clip" in refused(tmp_path / "list.mp4", UnreadableClip)


@pytest.mark.parametrize("name", ["back.mp4", "front.mp4", "film.mkv", "film.webm", "film.avi", "film.ts"])
def test_a_cut_header_is_refused(tmp_path, whole, name):
    cut = tmp_path / name
    cut.write_bytes(whole(name).read_bytes()[:300])
    assert "damaged or cut short" in refused(cut, UnreadableClip)


def test_an_mp4_whose_table_of_contents_at_the_end_is_gone_is_refused(tmp_path, whole):
    cut = tmp_path / "back.mp4"
    cut.write_bytes(whole("back.mp4").read_bytes()[:-3000])
    assert "damaged or cut short" in refused(cut, UnreadableClip)


@pytest.mark.parametrize("name", ["front.mp4", "film.mkv", "film.webm", "film.avi"])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("large", [False, True])
def test_of_a_clip_with_a_broken_tail_the_rest_is_read_and_a_note_says_so(
    tmp_path, whole, monkeypatch, name, zeros, large
):
    if large:
        monkeypatch.setattr(film_course, "WHOLE", 0)
        monkeypatch.setattr(film_course, "_HEAD", 10)
    data = whole(name).read_bytes()
    sound = int(0.6 * len(data))
    (tmp_path / name).write_bytes(data[:sound] + bytes(len(data) - sound) * zeros)
    clip = open_clip(tmp_path / name)
    assert [note.code for note in clip.notes] == ["broken_tail"]
    assert name in clip.notes[0].text
    assert "\n" not in clip.notes[0].text
    assert Fraction(1, 2) < clip.duration < 2
    read = [(number_of(frame.images), frame.time) for frame in clip.frames(clip.duration * at / 8 for at in range(8))]
    assert len(read) >= 6
    assert [Fraction(number, 25) for number, _ in read] == [time for _, time in read]


@pytest.mark.parametrize("name", ["back.mp4", "front.mp4", "film.mkv", "film.webm", "film.avi", "film.ts"])
def test_a_whole_clip_has_no_such_note_however_large_it_is(whole, monkeypatch, name):
    assert open_clip(whole(name)).notes == ()
    monkeypatch.setattr(film_course, "WHOLE", 0)
    clip = open_clip(whole(name))
    assert clip.notes == ()
    assert clip.duration == Fraction(60, 25)


def test_noise_in_the_middle_leaves_a_clip_that_can_be_read(tmp_path, whole):
    data = bytearray(whole("front.mp4").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(1).bytes(2000)
    (tmp_path / "noise.mp4").write_bytes(data)
    clip = open_clip(tmp_path / "noise.mp4")
    assert len(list(clip.every())) > 20


@pytest.mark.parametrize(("count", "codes"), [(1, ["short_clip"]), (3, ["short_clip"]), (4, [])])
@pytest.mark.parametrize("name", ["few.mp4", "few.mkv"])
def test_a_clip_of_one_frame_is_read_with_a_note(tmp_path, name, count, codes):
    clip = open_clip(write_clip(tmp_path / name, map(numbered, range(count))))
    assert [note.code for note in clip.notes] == codes
    assert clip.count == count
    assert clip.duration > 0
    assert [number_of(frame.images) for frame in clip.frames([Fraction(0), clip.duration])] == sorted({0, count - 1})


def sound_only(path):
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["song.mp4", "song.mkv"])
def test_a_file_with_sound_alone_is_refused(tmp_path, name):
    assert "sound but no pictures" in refused(sound_only(tmp_path / name), UnsupportedClip)


def test_frames_beyond_the_limit_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "large.mp4", [numbered(1, 256, 256)] * 2)
    monkeypatch.setattr(film, "MAX_CLIP_PIXELS", 60_000)
    monkeypatch.setattr(film_reader, "decoded", None)
    assert "which is the limit" in refused(path, ClipTooLarge)


def test_a_decoder_is_held_to_the_limit_too(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "lies.mp4", [numbered(1, 256, 256)] * 2)
    monkeypatch.setattr(film_reader, "MAX_CLIP_PIXELS", 60_000)
    refused(path, UnreadableClip)


def write_tracks(path, sides):
    with av.open(str(path), "w") as output:
        streams = [output.add_stream("libx264", rate=25) for _ in sides]
        for stream, side in zip(streams, sides, strict=True):
            stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
        output.start_encoding()
        for stream, side in zip(streams, sides, strict=True):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((side, side, 3), np.uint8))))
            output.mux(stream.encode(None))
    return path


def test_a_file_of_very_many_tracks_is_refused(tmp_path, monkeypatch):
    path = write_tracks(tmp_path / "tracks.mkv", [32] * 5)
    assert open_clip(path).count == 1
    monkeypatch.setattr(film, "MAX_STREAMS", 3)
    assert "more than 3 tracks" in refused(path, UnsupportedClip)


def test_the_largest_track_is_the_film(tmp_path):
    assert open_clip(write_tracks(tmp_path / "tracks.mkv", [32, 96, 64])).width == 96


def test_every_refusal_has_a_code_of_its_own():
    codes = [kind.code for kind in (UnreadableClip, UnsupportedClip, ClipTooLarge)]
    assert codes == ["unreadable_clip", "unsupported_clip", "clip_too_large"]
    assert all(issubclass(kind, DeepguardError) for kind in (UnreadableClip, UnsupportedClip, ClipTooLarge))


@pytest.mark.parametrize("title", ["한국 영상".encode("euc-kr"), b"\xff\xfe\x00\xd8odd"])
def test_a_title_in_an_old_alphabet_keeps_no_clip_from_being_read(tmp_path, title):
    path = tmp_path / "old.avi"
    with av.open(str(path), "w") as output:
        output.metadata["title"] = "x" * len(title)
        stream = output.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for number in (0, 1, None):
            frame = None if number is None else av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            output.mux(stream.encode(frame))
    path.write_bytes(path.read_bytes().replace(b"x" * len(title), title))
    assert [number_of(frame.images) for frame in open_clip(path).every()] == [0, 1]


@pytest.mark.parametrize("head", [b"", b"text", b"\x00\x00\x00\x18ftypisom" + bytes(64), b"GIF89a" + bytes(20)])
def test_a_file_may_be_given_another_name_for_sentences(tmp_path, head):
    (tmp_path / "0a1b").write_bytes(head)
    with pytest.raises(InputError, match=r"^행사\.mp4 is ") as caught:
        open_clip(tmp_path / "0a1b", name="행사.mp4")
    assert "0a1b" not in str(caught.value)


def test_notes_tell_the_name_that_was_given_too(whole, tmp_path):
    path = tmp_path / "0a1b"
    data = whole("clip.webm").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    clip = open_clip(path, name="행사.webm")
    assert clip.name == "행사.webm"
    assert [note.text[:7] for note in clip.notes if note.code == "broken_tail"] == ["행사.webm"]
