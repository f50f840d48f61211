"""A picture as a frame of a compressed clip: H.264, the codec of nearly all clips, by FFmpeg's x264 through PyAV.

Clips that people send are compressed far more strongly than pictures: a constant rate factor (CRF) of 18 can hardly be seen,
23 is FFmpeg's own choice, 28 to 40 is what messengers and video sites make of clips (hence the c23 and c40 of
FaceForensics++).
"""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np

from unmask.data.filters import Pixels, uint8

# A frame that follows another one is coded by what moved, and that is what most frames of a clip are. Two moves of a pixel or so.
FRAMES = 3


def filmed(image: Pixels, crf: int, *, shift: tuple[float, float] = (0.7, 0.4)) -> Pixels:
    """The last of a few frames in which a picture comes to its place.

    Args:
        image: uint8 (H, W, 3), RGB.
        crf: Constant rate factor, 0 (lossless) to 51.
        shift: By how much it moves from frame to frame, in pixels: across, down.

    Returns:
        uint8 (H, W, 3).
    """
    import av  # of the extra `train`; the other changes of a picture do without

    height, width = image.shape[:2]
    even = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = even.shape[1], even.shape[0], "yuv420p"
    encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
    encoder.options = {"crf": str(crf), "preset": "veryfast", "bf": "0"}
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    packets = []
    for number in range(FRAMES):
        back = FRAMES - 1 - number
        matrix = np.array([[1.0, 0.0, shift[0] * back], [0.0, 1.0, shift[1] * back]])
        moved = cv2.warpAffine(even, matrix, even.shape[1::-1], borderMode=cv2.BORDER_REPLICATE) if back else even
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(moved, np.uint8), format="rgb24")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    frames = [frame for packet in packets for frame in decoder.decode(packet)] + list(decoder.decode(None))
    return uint8(frames[-1].to_ndarray(format="rgb24")[:height, :width])
