"""Every limit on untrusted clips, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClipLimits:
    """What is accepted from a stranger, and what decoding it may cost.

    Attributes:
        max_bytes: Largest file. 500 MB is half an hour of a phone's 1080p at 2 Mbit/s, and read through in a second.
        max_seconds: Longest part of a clip that is looked at. A verdict rests on some dozen frames; spread over more than
            half an hour they say little of any moment.
        max_pixels: Most pixels of a frame: 8K (7680 x 4320). Decoded, with the frames it is predicted from, about 1 GB.
        max_frames: Most frames in a file. Half an hour at 240 a second has 432,000; the time of each is kept in memory.
        max_sampled: Most frames that are judged. 2,000 take minutes; more is a request to judge a film picture by picture.
        decoder_seconds: Of processor time for decoding one clip, on all cores together. Half an hour of 1080p takes about 120.
        stalled_seconds: Longest wait for the next frame, whatever the decoder is doing.
        decoder_bytes: Address space of the decoder, where the system can hold it to that (Linux). A frame of 8K and what
            it is predicted from fit; a file that asks for more is refused by the decoder, not by the machine.
    """

    max_bytes: int = 500_000_000
    max_seconds: float = 1_800.0
    max_pixels: int = 7_680 * 4_320
    max_frames: int = 1_000_000
    max_sampled: int = 2_000
    decoder_seconds: int = 900
    stalled_seconds: float = 120.0
    decoder_bytes: int = 6_000_000_000


CLIP_LIMITS = ClipLimits()

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,mxf,ivf,yuv4mpegpipe"
"""Containers that are opened. None of them names other files or addresses by itself, as playlists (hls, dash, concat) do."""

CODECS = frozenset(
    (
        *("h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d", "vvc"),
        *("mpeg4", "mpeg2video", "mpeg1video", "h263", "h263p", "h261", "mjpeg", "theora", "vp3", "vp6", "vp6f", "vp7"),
        *("prores", "dnxhd", "cfhd", "dvvideo", "ffv1", "ffvhuff", "huffyuv", "utvideo", "rawvideo", "qtrle", "png"),
        *("wmv1", "wmv2", "wmv3", "vc1", "msmpeg4v1", "msmpeg4v2", "msmpeg4", "flv", "flv1", "cinepak", "indeo5"),
        *("svq1", "svq3", "rv30", "rv40", "jpeg2000"),
    )
)
"""Decoders that see a stranger's bytes: what cameras, phones and the web make, not the hundreds for old games besides."""
