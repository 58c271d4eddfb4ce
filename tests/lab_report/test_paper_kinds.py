"""医院单子的各种难处：每一种抽几张来读，不说 未判断 而错的，不得多于千分之一。"""

import pytest
from lab_report.paper_kinds import KINDS, PIXELS, WORDED, draw, lay, read_laid, score_drawn

from health_assistant.lab_report.reading.reader import ReportReader
from health_assistant.lab_report.scoring import ReportScore, score_report

QUICK = ("arrow_before_value", "cut_at_left")
SEEDS, BOX_SEEDS = range(1000, 1006), range(2000, 2020)
MOST_SILENT = 0.001


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_page_and_another_seed_another(kind):
    first, again = draw(kind, 1), draw(kind, 1)
    assert first.image.tobytes() == again.image.tobytes() and first.items == again.items
    assert first.items and lay(kind, 2)[0].items != first.items == lay(kind, 1)[0].items


@pytest.mark.parametrize("kind", QUICK)
def test_a_page_of_a_kind_is_never_silently_wrong(reader, kind):
    assert score_drawn(reader, kind, 7).silent_errors == []


def score_pages(reader: ReportReader, kind: str) -> ReportScore:
    seeds = SEEDS[: None if kind in PIXELS else 1]
    return sum((score_drawn(reader, kind, seed) for seed in seeds), ReportScore())


def score_boxes(kind: str, seeds: range) -> ReportScore:
    return sum((score_report(*read_laid(kind, seed)) for seed in seeds), ReportScore())


@pytest.mark.parametrize("kind", WORDED)
def test_a_page_of_boxes_is_never_silently_wrong(kind):
    score = score_boxes(kind, range(1))
    assert score.silent_errors == [] and score.rows - score.found + score.undecided <= 0.5 * score.rows


def test_a_range_of_several_lines_below_the_only_test_is_drawn():
    report, truth = read_laid("one_test", 2)
    assert truth[0].reference_range.count(";") == 2 and score_report(report, truth).silent_errors == []


@pytest.mark.slow
@pytest.mark.parametrize("level", ["boxes", "pages"])
def test_every_kind_over_seeds(reader, capsys, level):
    if level == "boxes":
        scores = {kind: score_boxes(kind, BOX_SEEDS) for kind in WORDED}
    else:
        scores = {kind: score_pages(reader, kind) for kind in KINDS}
    total = sum(scores.values(), ReportScore())
    with capsys.disabled():
        for kind, score in {**scores, "合计": total}.items():
            print(f"\n{kind:22}{score}", *score.silent_errors[:5], sep="\n    ", end="")
    assert len(total.silent_errors) <= MOST_SILENT * total.decided, "\n".join(total.silent_errors)
