"""医院单子的各种难处：每一种抽几张来读，不说 未判断 而错的，不得多于千分之一。"""

import pytest
from lab_report.paper_kinds import KINDS, PIXELS, WORDED, draw, read_laid
from lab_report.paper_scoring import Count, count_rows, read_items

from health_assistant.lab_report.reading.reader import ReportReader
from health_assistant.lab_report.report import LabItem

QUICK = ("arrow_before_value", "earlier_results", "cut_at_left")
SEEDS, BOX_SEEDS = range(1000, 1006), range(2000, 2020)
MOST_SILENT = 0.001


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_page(kind):
    first, again = draw(kind, 1), draw(kind, 1)
    assert first.image.tobytes() == again.image.tobytes() and first.items == again.items
    assert first.items


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_another_page(kind):
    assert draw(kind, 1).items != draw(kind, 2).items


def test_counting_knows_a_silent_error_from_an_unknown_row():
    truth = [{"name": name, "code": "", "result": "6.7", "range": "0-5", "flag": "high"} for name in "甲乙丙丁戊"]
    read = [LabItem(name="甲", result="6.7", flag="high"), LabItem(name="乙", result="16.7", flag="high"),
            LabItem(name="丙", result="67", flag="unknown"), LabItem(name="丁", result="6.7", flag="normal"),
            LabItem(name="审核", result="3", flag="low")]  # fmt: skip
    count = count_rows(read, truth)
    assert (count.right, count.unknown, count.missing, count.extra, len(count.silent)) == (1, 1, 1, 1, 3)
    assert count_rows(None, truth).refused == 1 and 0.9 < count.bound <= 1
    assert Count(rows=3000, right=3000).bound == pytest.approx(0.001, rel=0.01)


@pytest.mark.parametrize("kind", QUICK)
def test_a_page_of_a_kind_is_never_silently_wrong(reader, kind):
    page = draw(kind, 7)
    assert count_rows(read_items(reader, page), page.items).silent == []


def count_pages(reader: ReportReader, kind: str) -> Count:
    pages = [draw(kind, seed) for seed in SEEDS[: None if kind in PIXELS else 1]]
    return sum((count_rows(read_items(reader, page), page.items) for page in pages), Count())


def count_boxes(kind: str, seeds: range) -> Count:
    return sum((count_rows(*read_laid(kind, seed)) for seed in seeds), Count())


@pytest.mark.parametrize("kind", WORDED)
def test_a_few_pages_of_boxes_are_never_silently_wrong(kind):
    count = count_boxes(kind, range(2))
    assert count.silent == [] and count.right >= 0.5 * count.rows


def test_a_range_of_several_lines_below_the_only_test_is_drawn():
    items, truth = read_laid("one_test", 2)
    assert truth[0]["range"].count(";") == 2 and count_rows(items, truth).silent == []


@pytest.mark.slow
@pytest.mark.parametrize("level", ["boxes", "pages"])
def test_every_kind_over_seeds(reader, capsys, level):
    if level == "boxes":
        counts = {kind: count_boxes(kind, BOX_SEEDS) for kind in WORDED}
    else:
        counts = {kind: count_pages(reader, kind) for kind in KINDS}
    total = sum(counts.values(), Count())
    with capsys.disabled():
        for kind, count in {**counts, "合计": total}.items():
            print(f"\n{kind:22}{count}", *count.silent[:5], sep="\n    ", end="")
    assert len(total.silent) <= MOST_SILENT * total.decided, "\n".join(total.silent)
