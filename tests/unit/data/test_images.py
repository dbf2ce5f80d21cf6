"""Pictures of strangers: what is taken, what is refused, and how that is said."""

from __future__ import annotations

import io
import os
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from acbench._util.text import printable
from acbench.data.image_formats import MAX_PIXELS, plain_png
from acbench.data.images import Header, ImageReader, decode, probe
from acbench.errors import ImageError
from acbench.storage.files import MAX_BYTES, FileRefused, FileTree
from acbench.testing import tiny_jpeg, tiny_png

MAGIC = (
    *(b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"GIF89a", b"RIFF\x40\0\0\0WEBPVP8X"),
    *(b"P5 99 99 255 ", b"P4 999 99 ", b"P3 99 99 255 "),
)
"""How files of each format begin."""


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def noise(mode: str, size: tuple[int, int] = (31, 17)) -> Image.Image:
    width, height = size
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


class TestPlainPng:
    """Most headers are read without Pillow, which has to say the same."""

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
    def test_what_it_says_is_what_pillow_says(self, mode: str) -> None:
        picture = noise("L") if mode == "I;16" else noise("RGB" if mode == "LA" else mode)
        data = encoded(picture.convert(mode) if picture.mode != mode else picture, "PNG")
        with Image.open(io.BytesIO(data)) as opened:
            assert plain_png(data) in (None, (*opened.size, opened.mode))
        assert (plain_png(data) is not None) == (mode in ("L", "RGB", "RGBA", "LA"))

    @given(st.integers(0, 60), st.integers(1, 255))
    def test_damage_in_the_header_is_judged_by_pillow_too(self, place: int, change: int) -> None:
        data = bytearray(encoded(noise("RGB", (3, 2)), "PNG"))
        data[place] ^= change
        if (plain := plain_png(bytes(data))) is not None:
            with Image.open(io.BytesIO(bytes(data))) as opened:
                assert plain == (*opened.size, opened.mode)

    @given(st.integers(0, 70))
    def test_one_that_is_cut_off_is_none(self, length: int) -> None:
        whole = encoded(noise("L", (3, 2)), "PNG")
        assert plain_png(whole[: min(length, len(whole) - 1)]) is None


def png_claiming(width: int, height: int) -> bytes:
    """A few bytes that say they are a picture of that size."""
    head = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    data = tiny_png()
    return data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:]


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *[("PNG", "RGB"), ("PNG", "L"), ("PNG", "P"), ("PNG", "1"), ("JPEG", "RGB"), ("BMP", "RGB"), ("BMP", "L")],
        *[("TIFF", "RGB"), ("TIFF", "L"), ("WEBP", "RGB"), ("GIF", "P"), ("PPM", "RGB"), ("PPM", "L"), ("PPM", "1")],
    ],
)
def test_probe_reads_the_header(kind: str, mode: str) -> None:
    assert probe(encoded(noise(mode), kind)) == Header(31, 17, mode, kind)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_probe_sees_a_cut_off_file(kind: str, share: float) -> None:
    data = encoded(noise("RGB", (200, 100)), kind)
    with pytest.raises(ImageError, match=r"cut off|damaged"):
        probe(data[: int(len(data) * share)])


def test_a_thumbnails_end_is_not_the_pictures() -> None:
    thumbnail = encoded(noise("RGB"), "JPEG")
    data = encoded(noise("RGB", (200, 100)), "JPEG")
    comment = b"\xff\xfe" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = data[:2] + comment + data[2:]
    assert probe(whole).width == 200
    with pytest.raises(ImageError, match="cut off"):
        probe(whole[:-100])


def test_bytes_after_the_end_do_no_harm() -> None:
    assert probe(tiny_png() + b"\0" * 1000).width == 8
    assert probe(tiny_jpeg() + b"\0" * 1000).width == 8


@pytest.mark.parametrize("kind", ["TGA", "ICO", "PCX", "JPEG2000"])
def test_other_formats_are_refused_whatever_the_name(kind: str) -> None:
    with pytest.raises(ImageError, match="not a PNG, JPEG, BMP, TIFF, WebP, GIF, PBM, PGM or PPM"):
        probe(encoded(noise("RGB"), kind))


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP"])
def test_of_several_pictures_the_first_is_read(kind: str, tmp_path: Path) -> None:
    first, second = Image.new("RGB", (8, 8), (250, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 250))
    lossless = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(first, kind, save_all=True, append_images=[second], **lossless)
    (tmp_path / "a").write_bytes(data)
    assert probe(data).more and not probe(encoded(first, kind)).more
    assert ImageReader(tmp_path).image("a").getpixel((3, 3)) == (250, 0, 0)


def test_a_webp_is_measured_before_its_decoder_takes_memory() -> None:
    data = bytearray(encoded(noise("RGB"), "WEBP", lossless=True, exif=b"Exif"))
    assert data[12:16] == b"VP8X"
    data[24:30] = b"\xff\x3f\0\xff\x3f\0"
    with pytest.raises(ImageError, match=r"it claims 16,384×16,384 pixels"):
        probe(bytes(data))


@pytest.mark.parametrize(
    ("values", "kind"),
    [(np.array([[0, 4095]], np.uint16), "PNG"), (np.array([[0, 4095]], np.uint16), "TIFF")],
)
def test_twelve_bits_of_sixteen_are_read_in_their_range(values: np.ndarray, kind: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(encoded(Image.fromarray(values), kind))
    assert probe((tmp_path / "a").read_bytes()).deep
    assert np.asarray(ImageReader(tmp_path, {"a": 12}).image("a"))[0, :, 0].tolist() == [0, 255]


def test_a_portable_map_says_its_range_itself(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5\n# made by a camera\n2 1\n4095\n\0\0\x0f\xff")
    assert probe((tmp_path / "a.pgm").read_bytes()).deep
    assert np.asarray(ImageReader(tmp_path).image("a.pgm"))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("head", ["P5 40 30 4095\n", "P5 40 30 100\n", "P6 40 30 1023\n", "P6 40 30 7\n"])
def test_a_portable_map_is_scaled_as_pillow_does_it(head: str, tmp_path: Path) -> None:
    kind, _, _, most = head.split()
    shape = (30, 40) if kind == "P5" else (30, 40, 3)
    values = np.random.default_rng(1).integers(0, int(most) + 1, shape)
    data = head.encode() + values.astype(">u2" if int(most) > 255 else "u1").tobytes()
    theirs = Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(np.asarray(decode(data)).astype(int), np.asarray(theirs).astype(int))


def test_floating_point_values_have_no_range() -> None:
    with pytest.raises(ImageError, match="floating-point"):
        probe(encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF"))


@pytest.mark.parametrize(
    "data", [b"P5\n" + b"#" * 9000 + b"\n2 1\n255\n12", b"P5 2", b"P7 2 1 255 ab", b"P6\n-2 1\n255\n"]
)
def test_a_portable_map_without_an_honest_header_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        probe(data)


@pytest.mark.parametrize("size", [(100_001, 1000), (2**31 - 1, 2**31 - 1), (0, 5)])
def test_a_bomb_is_refused_before_it_is_decoded(size: tuple[int, int], tmp_path: Path) -> None:
    data = png_claiming(*size)
    (tmp_path / "bomb.png").write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for use in (lambda: probe(data), lambda: ImageReader(tmp_path).image("bomb.png")):
            with pytest.raises(ImageError, match=r"pixels|damaged"):
                use()


def test_the_largest_picture_is_allowed() -> None:
    assert probe(png_claiming(MAX_PIXELS // 1000, 1000)).height == 1000


@given(st.binary(max_size=300), st.sampled_from(MAGIC))
def test_garbage_is_an_image_error(data: bytes, magic: bytes) -> None:
    with pytest.raises(ImageError):
        probe(magic + data)


@given(st.data(), st.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM"]))
def test_a_damaged_picture_is_decoded_or_an_image_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    whole = bytearray(encoded(noise("RGB"), kind))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.getbasetemp()
    (folder / "damaged").write_bytes(whole)
    try:
        assert ImageReader(folder).image("damaged").mode == "RGB"
    except ImageError as error:
        assert error.hint and "damaged: " in error.message


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "LA"])
def test_images_come_as_rgb(mode: str, tmp_path: Path) -> None:
    noise(mode).save(tmp_path / "a.png")
    picture = ImageReader(tmp_path).image("a.png")
    assert (picture.mode, picture.size) == ("RGB", (31, 17))
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(noise(mode).convert("RGB")))


def test_a_palette_with_transparency_warns_nobody(tmp_path: Path) -> None:
    noise("P").save(tmp_path / "a.png", transparency=bytes(range(256)))
    assert ImageReader(tmp_path).image("a.png").mode == "RGB"


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert np.asarray(ImageReader(tmp_path).image("a.png"))[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_an_orientation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    noise("RGB").save(tmp_path / "a.jpg", exif=exif)
    assert ImageReader(tmp_path).image("a.jpg").size == (31, 17)


MASK = np.array([[0, 1, 0, 7], [0, 255, 0, 0]], dtype=np.uint8)


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(Image.fromarray(MASK), id="grey"),
        pytest.param(Image.fromarray((MASK > 0).astype(np.uint8) * 255).convert("1"), id="bits"),
        pytest.param(Image.fromarray(MASK.astype(np.uint16) * 2), id="sixteen bits"),
        pytest.param(Image.fromarray(np.stack([MASK * 0, MASK, MASK * 0], axis=2)), id="colour"),
        pytest.param(Image.merge("RGBA", [Image.fromarray(MASK)] * 3 + [Image.new("L", (4, 2), 255)]), id="alpha"),
        pytest.param(Image.merge("LA", [Image.fromarray(MASK), Image.new("L", (4, 2), 255)]), id="grey and alpha"),
    ],
)
def test_every_value_but_zero_is_anomalous(picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "m.png")
    mask = ImageReader(tmp_path).mask("m.png", (4, 2))
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, MASK > 0)


def test_an_indexed_mask_counts_by_index_not_by_colour(tmp_path: Path) -> None:
    picture = Image.fromarray(MASK)
    picture.putpalette([255, 255, 255] + [0] * 765)  # index 0 is white, all others are black
    picture.save(tmp_path / "m.png")
    np.testing.assert_array_equal(ImageReader(tmp_path).mask("m.png", (4, 2)), MASK > 0)


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    Image.fromarray(MASK).save(tmp_path / "m.png")
    with pytest.raises(ImageError, match=r"m\.png: the mask is 4×2, its image 2×4"):
        ImageReader(tmp_path).mask("m.png", (2, 4))


def test_a_jpeg_is_no_mask(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(tiny_jpeg())
    with pytest.raises(ImageError, match="compression blurs"):
        ImageReader(tmp_path).mask("m.png", (8, 8))


def test_damaged_pixels_are_found_when_decoded(tmp_path: Path) -> None:
    data = bytearray(encoded(noise("RGB", (200, 100)), "PNG"))
    data[len(data) // 2] ^= 255
    (tmp_path / "a.png").write_bytes(data)
    assert probe(bytes(data)).width == 200
    with pytest.raises(ImageError, match="pixels are damaged"):
        ImageReader(tmp_path).image("a.png")


class TestTree:
    """Nothing outside of the root is ever read, and nothing but files."""

    @pytest.fixture
    def tree(self, tmp_path: Path) -> FileTree:
        (tmp_path / "root" / "in").mkdir(parents=True)
        (tmp_path / "root" / "in" / "a.png").write_bytes(tiny_png())
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "secret.png").write_bytes(tiny_png())
        return FileTree(tmp_path / "root")

    @pytest.mark.parametrize(
        "path", ["../outside/secret.png", "in/../../outside/secret.png", "{tmp}/outside/secret.png"]
    )
    def test_paths_that_leave(self, tree: FileTree, tmp_path: Path, path: str) -> None:
        path = path.format(tmp=tmp_path)
        with pytest.raises(FileRefused, match="out of the dataset"):
            tree.read(path)
        with pytest.raises(ImageError, match="out of the dataset"):
            ImageReader(tree.root).image(path)

    def test_links(self, tree: FileTree, tmp_path: Path) -> None:
        root = Path(tree.root)
        (root / "file.png").symlink_to(tmp_path / "outside" / "secret.png")
        (root / "folder").symlink_to(tmp_path / "outside")
        (root / "dangling.png").symlink_to(root / "nowhere")
        (root / "circle.png").symlink_to(root / "circle.png")
        (root / "inside.png").symlink_to("in/a.png")
        (root / "beside").symlink_to(tmp_path / "root2")
        (tmp_path / "root2").mkdir()  # its name starts like the root's
        kinds = {each.name: (each.kind, each.refused and each.refused.kind) for each in tree.entries()}
        assert kinds == {
            "beside": ("refused", "link_outside"),
            "circle.png": ("refused", "broken_link"),
            "dangling.png": ("refused", "broken_link"),
            "file.png": ("refused", "link_outside"),
            "folder": ("refused", "link_outside"),
            "in": ("folder", None),
            "inside.png": ("file", None),
        }
        assert tree.read("inside.png") == tiny_png()
        assert tree.read(f"{tree.root}/in/a.png") == tiny_png()
        for name in ("file.png", "folder/secret.png", "circle.png", "dangling.png"):
            with pytest.raises(FileRefused):
                tree.read(name)
        with pytest.raises(FileRefused, match="out of the dataset"):
            tree.entries("folder")

    @pytest.mark.parametrize("path", ["in", "pipe", "nothing", "in/a.png/b", "a\0b", "/dev/zero"])
    def test_what_is_not_a_file(self, tree: FileTree, path: str) -> None:
        os.mkfifo(Path(tree.root) / "pipe")
        with pytest.raises(FileRefused):
            tree.read(path)

    def test_a_file_that_becomes_a_pipe_meanwhile(self, tree: FileTree) -> None:
        from acbench.storage.files import read_file

        real = tree.locate("in/a.png").address
        Path(real).unlink()
        os.mkfifo(real)
        with pytest.raises(FileRefused, match="a pipe"):
            read_file(real)  # and does not wait for a writer

    def test_a_file_that_becomes_a_link_meanwhile(self, tree: FileTree, tmp_path: Path) -> None:
        from acbench.storage.files import read_file

        real = tree.locate("in/a.png").address
        Path(real).unlink()
        Path(real).symlink_to(tmp_path / "outside" / "secret.png")
        with pytest.raises(FileRefused):
            read_file(real)

    def test_a_huge_file_is_not_read(self, tree: FileTree) -> None:
        with (Path(tree.root) / "huge.png").open("wb") as file:
            file.truncate(MAX_BYTES + 1)
        with pytest.raises(FileRefused, match="at most 512 MiB"):
            tree.read("huge.png")

    def test_a_missing_folder_is_empty(self, tree: FileTree) -> None:
        assert tree.entries("nothing") == []

    @pytest.mark.parametrize("size", [1, 1000, 4096])
    def test_a_file_that_comes_in_parts_is_read_to_its_end(
        self, tree: FileTree, monkeypatch: pytest.MonkeyPatch, size: int
    ) -> None:
        content = bytes(range(256)) * 20
        (Path(tree.root) / "in" / "a.png").write_bytes(content)
        read = os.read
        monkeypatch.setattr(os, "read", lambda descriptor, count: read(descriptor, min(count, size)))
        assert tree.read("in/a.png") == content

    def test_a_file_that_grows_meanwhile_is_read_to_its_end(
        self, tree: FileTree, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = Path(tree.root) / "in" / "a.png"
        path.write_bytes(b"begin")
        look = os.fstat

        def grows(descriptor: int) -> os.stat_result:
            status = look(descriptor)
            path.write_bytes(b"begin and end")
            return status

        monkeypatch.setattr(os, "fstat", grows)
        assert tree.read("in/a.png") == b"begin and end"

    def test_entries_are_files_folders_and_what_is_refused(self, tree: FileTree, tmp_path: Path) -> None:
        folder = Path(tree.root) / "many"
        (folder / "b").mkdir(parents=True)
        for name in ("c.png", "a.png", "B.png"):
            (folder / name).write_bytes(b"x")
        (folder / "d.png").symlink_to(folder / "a.png")
        (folder / "e.png").symlink_to(tmp_path)
        os.mkfifo(folder / "f.png")
        found = tree.entries("many")
        kinds = [(entry.name, entry.kind, entry.refused.kind if entry.refused else "") for entry in found]
        assert kinds == [
            ("B.png", "file", ""),
            ("a.png", "file", ""),
            ("b", "folder", ""),
            ("c.png", "file", ""),
            ("d.png", "file", ""),
            ("e.png", "refused", "link_outside"),
            ("f.png", "refused", "not_a_file"),
        ]
        assert [entry.path for entry in found] == [f"many/{entry.name}" for entry in found]
        assert (len(found), found[-1], list(found[1:3])) == (7, list(found)[-1], list(found)[1:3])


@pytest.mark.parametrize("name", ["plain.png", "Kerze größer.png", "蜡烛.png", "شمعة.png", "क्षति.png", "👩‍🔧.png"])
def test_names_in_every_script_stay(name: str) -> None:
    assert printable(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\udcffb", r"a\udcffb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\\b", r"a\\b"),
    ],
)
def test_names_that_deceive_are_escaped(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.text(), st.text())
def test_two_names_are_never_shown_alike(one: str, other: str) -> None:
    assert (printable(one) == printable(other)) == (one == other)
