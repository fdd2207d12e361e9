"""Short films without sound, written in memory: H.264 in an MP4, which every phone shows."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable

import av

from deepguard.media.picture import to_pixels
from deepguard.types import Images

XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""The identifier of the box that holds an XMP packet in an MP4 (XMP specification, part 3, 1.1.4)."""
QUALITY = 20
"""libx264's constant rate factor: letters stay legible."""


def film(frames: Iterable[Images], rate: int, packet: bytes) -> bytes:
    """Return an MP4 of frames, 1x3xhxw, of one even height and width, `rate` a second, with an XMP packet."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate, options={"crf": str(QUALITY), "preset": "fast"})
        stream.pix_fmt = "yuv420p"
        for place, images in enumerate(frames):
            if not place:
                stream.height, stream.width = images.shape[-2:]
            picture = av.VideoFrame.from_ndarray(to_pixels(images[0]), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return buffer.getvalue() + struct.pack(">I4s", 24 + len(packet), b"uuid") + XMP_BOX + packet


def packet_of(data: bytes) -> bytes:
    """Return the XMP packet at the end of what `film` wrote; empty where there is none."""
    _, found, packet = data.rpartition(b"uuid" + XMP_BOX)
    return packet if found else b""
