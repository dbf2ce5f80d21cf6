"""What stands in a release for its readers: names, sizes, history, the label schema; and what must not stand in it."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import acbench
from acbench.errors import AcbenchError, ReleaseError
from acbench.integrations.huggingface.croissant import Croissant
from acbench.records import Review, item_id
from acbench.release.columns import COLUMNS
from acbench.release.entries import read_manifest
from acbench.release.folder import ReleaseFolder
from acbench.release.manifest import ListedVersion
from acbench.release.rows import history_of, make_rows
from acbench.release.schema_file import released_schema
from acbench.review.history import by_item
from acbench.testing import toy_mvtec_ad
from acbench.workflows.releases import diff_releases
from tests.support.commands import here
from tests.support.records import MVTEC_AC, decides, item, labels_of
from tests.support.releases import build, check, rehash, wrong

OLD = Path(__file__).parent / "format_2.zip"
"""A release of two people's decisions, of labels only, as acbench made it before releases held names and schema."""
OWN = """\
# a note of Grace Hopper to herself
title: Nuts
attribution: Pictures by Ada Lovelace, 2026
home: https://example.org/nuts
citation: "Lovelace: Nuts. 2026."
image_licence: cc-by-4.0
share_images: yes
categories:
  nut:
    classes:
      - id: bent
        name: Bent
        definition: The thread or the face is bent, so that the outline is no longer even.
        aliases: [crooked]
      - id: scratch
        definition: A thin bright line across the face, which light from the side shows best.
"""


def read(folder: Path) -> list[dict[str, Any]]:
    """Every row of a release."""
    return [row for path in sorted(folder.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def contents(folder: Path) -> bytes:
    """Every byte of a release, with its tables unpacked."""
    files = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return files + json.dumps(read(folder), default=str).encode()


@pytest.fixture
def nuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with images of one's own. It is the current folder."""
    toy_mvtec_ad(tmp_path / "data", {"nut": ("bent", "scratch")})
    (tmp_path / "nuts.yaml").write_text(OWN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of one's own images. Not to be changed."""
    project = tmp_path_factory.mktemp("own")
    toy_mvtec_ad(project / "data", {"nut": ("bent", "scratch")})
    (project / "nuts.yaml").write_text(OWN, encoding="utf-8")
    return build(project, str(project / "nuts.yaml"), root=project / "data").folder


@pytest.fixture
def release(own: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(own, tmp_path / "release"))


# Names and sizes


def test_names_stand_beside_numbers(own: Path) -> None:
    manifest = read_manifest(ReleaseFolder(own))
    rows = read(own)
    assert {row["label_name"] for row in rows} == {"good", "bent", "scratch"}
    for row in rows:
        assert row["category_name"] == manifest.categories[row["category"]] == "nut"
        assert row["label_name"] == manifest.classes[row["label"]]
        assert row["label_names"] == [manifest.classes[number] for number in row["labels"]]


def test_sizes_are_those_of_the_files(own: Path) -> None:
    for row in read(own):
        assert row["image_size"] == len(row["image"]["bytes"]) > 0
        assert row["mask_size"] == (len(row["mask"]["bytes"]) if row["mask"] else None)


def test_a_size_of_several_masks_is_that_of_all_of_them() -> None:
    of = replace(item(), mask="a.png|b.png", mask_sha256="0" * 64)
    made = labels_of([of], {}, [], MVTEC_AC)
    for sizes, expected in (({"a.png": 3, "b.png": 4}, 7), ({"a.png": 3}, None), ({}, None)):
        (row,) = make_rows([of], made, {}, {}, MVTEC_AC, {**sizes, of.image: 9}.get)
        assert (row["image_size"], row["mask_size"]) == (9, expected)


def test_polars_duckdb_and_pandas_read_names(own: Path) -> None:
    import duckdb
    import pandas as pd
    import polars as pl

    tables = f"{own}/data/*/*.parquet"
    wanted = [(row["item_id"], row["category_name"], row["label_name"], row["label_names"]) for row in read(own)]
    names = ["item_id", "category_name", "label_name", "label_names"]
    assert sorted(pl.read_parquet(tables).select(names).rows()) == sorted(wanted)
    assert sorted(duckdb.sql(f"SELECT {', '.join(names)} FROM '{tables}'").fetchall()) == sorted(wanted)
    counted = duckdb.sql(f"SELECT label_name, count(*) FROM '{tables}' WHERE split = 'test' GROUP BY 1 ORDER BY 1")
    assert counted.fetchall() == [("bent", 2), ("good", 2), ("scratch", 2)]
    frame = pd.concat(map(pd.read_parquet, sorted(own.rglob("*.parquet"))))
    rows = zip(*(frame[name] for name in names[:3]), map(list, frame["label_names"]), strict=True)
    assert sorted(rows) == sorted(wanted)


# The history of decisions


def review(project: Path, reviewer: str, image: str, label: str, note: str) -> None:
    decisions = project / "decisions.csv"
    decisions.write_text(f'item_id,label,note\n{item_id("nuts", "nut", image)},{label},"{note}"\n', encoding="utf-8")
    done = here("review", "take", "nuts.yaml", decisions, "--reviewer", reviewer)
    assert done.status == 0, done.said


def test_every_decision_is_there_under_a_pseudonym_without_its_note_and_time(nuts: Path) -> None:
    build(nuts, "nuts.yaml", root=nuts / "data")
    image = "nut/test/bent/000.png"
    review(nuts, "Ada.Lovelace", image, "scratch", "Charles Babbage was not sure")
    review(nuts, "Ada.Lovelace", image, "bent", "seen again")
    review(nuts, "Bob", image, "bent", "")
    kept = [json.loads(line) for line in (nuts / "annotations/nuts/reviews.jsonl").read_text().splitlines()]
    built = build(nuts, "nuts.yaml")
    (row,) = (row for row in read(built.folder) if row["history"])
    told = sorted((each["round"], each["said"], each["labels"], each["date"]) for each in row["history"])
    days = [each["when"][:10] for each in kept]
    assert told == [
        (1, "label", ["bent"], days[2]),
        (1, "label", ["scratch"], days[0]),
        (2, "label", ["bent"], days[1]),
    ]
    assert {each["who"] for each in row["history"]} == {
        vote["who"] for vote in row["votes"] if vote["kind"] == "person"
    }
    assert all(each["who"].startswith("reviewer-") for each in row["history"])
    everything = contents(built.folder)
    for gone in (b"Babbage", b"Lovelace@", b"Ada.Lovelace", *(each["when"][10:].encode() for each in kept)):
        assert gone not in everything
    assert b"seen again" in everything, "the note of a decision that counts is in the reason"
    assert wrong(check(built.folder)) == set()


def test_what_was_taken_back_is_told_and_no_vote() -> None:
    of = item()
    first = decides("ada", of, "contamination", desk="label-studio:00000000/1/7", when="2026-01-02T03:04:05+00:00")
    back = replace(first, round=2, verdict="withdrawn", labels=())
    other = decides("ada", of, "broken_large", round=3, desk="csv", when="by hand, Tuesday")
    made = labels_of([of], {}, [first, back, other], MVTEC_AC)
    (row,) = make_rows([of], made, {}, by_item([first, back, other]), MVTEC_AC)
    told = [(each["said"], each["place"], each["date"]) for each in row["history"]]
    assert told == [("label", 1, "2026-01-02"), ("withdrawn", 1, "2026-01-02"), ("label", 2, None)]
    assert [vote["labels"] for vote in row["votes"]] == [["broken_large"]]
    assert not any("label-studio" in str(each) for each in row["history"])


def test_a_history_is_the_same_in_whatever_order_its_rows_were_kept() -> None:
    of = item()
    reviews = [decides(who, of, "contamination", round=number) for who in ("bob", "ada") for number in (2, 1)]
    assert history_of(reviews) == history_of(reviews[::-1])
    assert [(each["who"], each["round"]) for each in history_of(reviews)] == [
        ("ada", 1),
        ("ada", 2),
        ("bob", 1),
        ("bob", 2),
    ]
    assert isinstance(reviews[0], Review)


# The label schema


def test_the_schema_is_in_it_without_the_comments(own: Path) -> None:
    text = (own / "label_schema.yaml").read_text(encoding="utf-8")
    assert "benchmark: nuts\n" in text and "aliases:" in text and "Grace Hopper" not in text
    manifest = read_manifest(ReleaseFolder(own))
    schema = released_schema(ReleaseFolder(own), manifest)
    assert schema is not None and schema.digest == manifest.schema_digest
    assert (schema.title, schema.publisher.citation) == ("Nuts", "Lovelace: Nuts. 2026.")
    assert acbench.load_schema(str(own)) == schema == acbench.load_schema(str(own / "label_schema.yaml"))


def test_others_check_it_and_score_with_its_aliases_and_have_no_project(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    verified = check(own)
    assert not verified.failed, verified.findings
    assert [line for line in verified.unchecked if "by the one that it holds" in line]
    tested = [row for row in read(own) if row["split"] == "test"]
    called = {"good": "normal", "bent": "Crooked", "scratch": "scratch"}
    answers = tmp_path / "answers.csv"
    lines = [f"{row['item_id']},{called[row['label_name']]}" for row in tested]
    answers.write_text("item_id,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    for view in ("published", "sets"):
        done = here("score", "--truth", own, "--predictions", answers, "--view", view, "--json")
        assert done.status == 0, done.said
        assert done.facts["counts"]["pooled"]["right"] == 6 if "pooled" in done.facts.get("counts", {}) else True
    rows = [{**row, "label": row["label_name"], "labels": row["label_names"], "category": "nut"} for row in tested]
    given = [{"item_id": row["item_id"], "prediction": called[row["label_name"]]} for row in tested]
    scored = acbench.score(rows, given, schema=acbench.load_schema(str(own)), resamples=0)
    assert scored.value("accuracy") == 1.0


def tampered(release: Path, old: str, new: str) -> None:
    """Edit the schema, and the manifest with it."""
    path = release / "label_schema.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    rehash(release, path.name)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("crooked", "bowed", "it is nuts"),
        ("benchmark: nuts", "benchmark: bolts", "it is bolts"),
        ("categories:", "categories: &a {}\nother: *a", "no usable schema"),
        ("title: Nuts", "title: *a", "no usable schema"),
        ("title: Nuts", "title: !!python/name:os.system Nuts", "it is nuts"),
        ("title: Nuts", "[" * 2_000, "no usable schema"),
        ("title: Nuts", '"ti\\etle": x', "no usable schema: line 1: ti"),
        ("title: Nuts", "title: \"\\e[2J\"", "no usable schema"),
    ],
)  # fmt: skip
def test_a_schema_that_is_not_the_one_of_the_labels_counts_for_nothing(
    release: Path, old: str, new: str, told: str
) -> None:
    if "python" in new:
        tampered(release, old, new)  # a type is not looked at: the text is what it was
        assert released_schema(ReleaseFolder(release), read_manifest(ReleaseFolder(release))) is not None
        return
    tampered(release, old, new)
    (finding,) = (each for each in check(release).findings if each.failed and each.path == "label_schema.yaml")
    assert told in finding.detail and finding.detail.isprintable()
    with pytest.raises(ReleaseError, match=told):
        acbench.load_schema(str(release))


def test_a_small_schema_that_takes_much_memory_is_not_composed(release: Path) -> None:
    (release / "label_schema.yaml").write_text(f"categories: [{'a,' * 1_000_000}]", encoding="utf-8")
    rehash(release, "label_schema.yaml")
    with pytest.raises(ReleaseError, match="more than 300,000 entries"):
        acbench.load_schema(str(release))


def test_a_schema_that_was_changed_or_is_gone_is_found(release: Path) -> None:
    path = release / "label_schema.yaml"
    path.write_bytes(path.read_bytes() + b"# more\n")
    assert wrong(check(release)) >= {"other_bytes", "label_schema"}
    path.write_bytes(b"\xff" * 100)
    rehash(release, path.name)
    with pytest.raises(ReleaseError, match="it is no text"):
        acbench.load_schema(str(release))
    path.unlink()
    assert wrong(check(release)) >= {"missing_file", "label_schema"}
    manifest = json.loads((release / "release.json").read_text())
    del manifest["files"][path.name]
    (release / "release.json").write_text(json.dumps(manifest))
    assert "the release does not hold it" in str(check(release).findings)


def test_what_a_schema_says_besides_its_digest_is_compared_where_the_schema_is_at_hand(
    release: Path, nuts: Path
) -> None:
    tampered(release, "https://example.org/nuts", "https://evil.example")
    done = here("verify", release, "--schema", "nuts.yaml")
    assert done.status == 3 and "it says something else than the schema of that name here" in done.out


# Croissant metadata


def test_croissant_metadata_say_when_and_where_it_was_published(own: Path) -> None:
    manifest = read_manifest(ReleaseFolder(own))
    dated = replace(manifest, versions=(ListedVersion(version="1.0.0", date="2026-11-29"),))
    said = json.loads(Croissant().describe(dated, page="https://huggingface.co/datasets/a/b", about="", attribution=""))
    assert said["datePublished"].startswith("2026-11-29") and said["url"] == "https://huggingface.co/datasets/a/b"
    undated = json.loads(Croissant().describe(manifest, page="", about="", attribution=""))
    assert not {"datePublished", "url"} & undated.keys()
    assert undated["license"] == "https://creativecommons.org/licenses/by/4.0/"
    with pytest.raises(ValueError, match="day"):
        Croissant().describe(replace(dated, versions=(ListedVersion(version="1.0.0", date="2026-02-31"),)), page="",
                             about="", attribution="")  # fmt: skip


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("https://huggingface.co/datasets/a/b", ""),
        ("https://hub.acme.example/datasets/a/b", "its addresses are on 'https://hub.acme.example/datasets/a/b'"),
        ("https://huggingface.co/datasets/a/b/../../c/d", "its tables or their sha256"),
    ],
)
def test_addresses_are_those_of_a_page_of_the_hub(release: Path, page: str, told: str) -> None:
    manifest = read_manifest(ReleaseFolder(release))
    data = Croissant().describe(manifest, page=page, about="", attribution="")
    (release / "croissant.json").write_bytes(data)
    assert told in " ".join(problems := Croissant().problems(release, manifest)) and bool(problems) == bool(told)
    if not told:
        moved = data.replace(b"/a/b/tree/", b"/x/y/tree/")
        (release / "croissant.json").write_bytes(moved)
        assert "has 'https://huggingface.co/datasets/x/y/tree" in Croissant().problems(release, manifest)[0]


# What only the owner can say


def front(folder: Path) -> dict[str, Any]:
    """The card's YAML."""
    found: dict[str, Any] = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    return found


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("MIT", {"license": "mit"}),
        ("CC-BY-NC-ND-3.0-IGO", {"license": "other", "license_name": "cc-by-nc-nd-3.0-igo",
                                 "license_link": "https://spdx.org/licenses/CC-BY-NC-ND-3.0-IGO.html"}),
        ("LicenseRef-acme", {"license": "other", "license_name": "licenseref-acme"}),
        ("LicenseRef-acme\nlicence_link: https://acme.example/licence.txt",
         {"license": "other", "license_name": "licenseref-acme", "license_link": "https://acme.example/licence.txt"}),
    ],
)  # fmt: skip
def test_a_licence_has_its_name_on_the_hub_or_a_link(nuts: Path, licence: str, expected: dict[str, str]) -> None:
    text = OWN.replace("image_licence: cc-by-4.0", "image_licence: LicenseRef-images")
    (nuts / "nuts.yaml").write_text(f"licence: {licence}\n{text}", encoding="utf-8")
    built = build(nuts, "nuts.yaml", root=nuts / "data")
    assert {key: value for key, value in front(built.folder).items() if key.startswith("license")} == expected
    said = json.loads((built.folder / "croissant.json").read_bytes())["license"]
    assert said == expected.get("license_link", {"MIT": "https://spdx.org/licenses/MIT.html"}.get(licence, licence))
    assert wrong(check(built.folder)) == set()


@pytest.mark.parametrize("link", ["acme", "javascript:alert(1)", "https://x.org/a b", 'https://x.org/"><script>'])
def test_a_link_to_a_licence_is_an_address_of_the_web(nuts: Path, link: str) -> None:
    (nuts / "nuts.yaml").write_text(f"licence_link: {json.dumps(link)}\n{OWN}", encoding="utf-8")
    with pytest.raises(AcbenchError, match="no address of the web"):
        build(nuts, "nuts.yaml", root=nuts / "data")


HOSTILE = (
    "<script>alert(1)</script>",
    "![x](https://evil.example/pixel.png)",
    "[click](javascript:alert(1)) <img src=x onerror=alert(1)>",
    "a | b | c",
    "`code` ``` <b>bold</b> **bold** _it_ ~~gone~~",
    "</details> </summary> <h1>Sound</h1>",
    "\\| \\` $title ${repo} &lt;b&gt; @someone #1",
    "--- ... : {a: b} [c] 'd' %f",
)


class Tags(HTMLParser):
    """The tags of a page, and its links and pictures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.targets: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "code":  # a name that code cannot hold is plain text
            self.tags.append(tag)
        self.targets |= {str(value) for name, value in attrs if name in ("href", "src") or name.startswith("on")}


def rendered(folder: Path) -> Tags:
    """The card as a page that lets HTML through shows it."""
    from markdown_it import MarkdownIt

    body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return Tags(page.render(body))


def released(folder: Path, text: str) -> Path:
    """A release in which everything that people can write is this text."""
    toy_mvtec_ad(folder / "data", {"nut": ("bent", "scratch")})
    quoted = json.dumps(text)
    reason = json.dumps(f"{text} and so on, for as long as a reason needs to be")
    (folder / "nuts.yaml").write_text(
        f"""\
title: {quoted}
about: {quoted}
attribution: {quoted}
home: {quoted}
licence: cc-by-4.0
image_licence: cc-by-4.0
share_images: yes
categories:
  nut:
    name: {quoted}
    object: {quoted}
    normal: {quoted}
    guide: {quoted}
    classes:
      - {{id: bent, name: {quoted}, definition: {reason}, not: {reason}, source: [bent, {quoted}]}}
      - {{id: scratch, definition: {reason}}}
    changes:
      - {{kind: merge, source: {quoted}, into: bent, reason: {reason}}}
      - {{kind: boundary, between: [bent, scratch], reason: {reason}}}
""",
        encoding="utf-8",
    )
    build(folder, "nuts.yaml", root=folder / "data")
    review(folder, "ada", "nut/test/bent/000.png", "scratch", text.replace('"', ""))
    return build(folder, "nuts.yaml").folder


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_people_write_is_plain_text(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    for name, said in (("harmless", "plain words"), ("hostile", text)):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        folders.append(released(tmp_path / name, said))
    folder = folders[1]
    harmless, page = map(rendered, folders)
    assert page.tags == harmless.tags
    assert page.targets == harmless.targets
    said = front(folder)
    assert (said["pretty_name"], said["license"]) == (" ".join(text.split()), "cc-by-4.0")
    metadata = (folder / "croissant.json").read_text(encoding="utf-8")
    assert "<" not in metadata and "&" not in metadata
    assert json.loads(metadata)["description"] == " ".join(text.split())
    verified = check(folder)
    assert wrong(verified) == set(), verified.findings


# Releases of format 2


@pytest.fixture
def old(tmp_path: Path) -> Path:
    with zipfile.ZipFile(OLD) as archive:
        archive.extractall(tmp_path / "old")
    return tmp_path / "old"


def test_an_older_release_is_still_read(old: Path, tmp_path: Path) -> None:
    manifest = read_manifest(ReleaseFolder(old))
    assert (manifest.format, released_schema(ReleaseFolder(old), manifest)) == (2, None)
    assert "label_name" not in read(old)[0] and {row["decided_by"] for row in read(old)} > {"people"}
    verified = check(old)
    assert wrong(verified) == set(), verified.findings
    assert [line for line in verified.unchecked if "card and Croissant metadata against the tables" in line]
    assert diff_releases(str(old), str(old), print).changes == []
    answers = tmp_path / "answers.csv"
    lines = [f"{row['item_id']},good" for row in read(old) if row["split"] == "test" and row["label"] is not None]
    answers.write_text("item_id,label\n" + "\n".join(lines) + "\n")
    assert here("score", "--truth", old, "--predictions", answers).status == 0
    assert manifest.to_bytes() == (old / "release.json").read_bytes()


def test_an_older_release_with_columns_of_a_newer_one_is_found(old: Path) -> None:
    path = "data/candle/test-00000-of-00001.parquet"
    table = pq.read_table(old / path)
    names = pa.array(["x"] * table.num_rows)
    pq.write_table(table.append_column("label_name", names), old / path)
    rehash(old, path)
    assert "schema" in wrong(check(old))


def test_columns_come_in_an_order_that_older_ones_keep() -> None:
    with zipfile.ZipFile(OLD) as archive, archive.open("data/candle/test-00000-of-00001.parquet") as file:
        names = pq.ParquetFile(pa.py_buffer(file.read())).schema_arrow.names
    assert names == [column.name for column in COLUMNS if column.since <= 2 and column.kind != "image"]
