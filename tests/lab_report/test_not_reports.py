"""不是化验单的图片：读者要拒绝，并说对是看不清，还是不是化验单。"""

import pytest
from lab_report.not_reports import kinds

from health_assistant.lab_report.report import UnreadableReport

KINDS = kinds()
FAST = {"blank_page", "out_of_focus", "fee_list", "blank_lab_form", "ihc_table"}


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=() if kind in FAST else pytest.mark.slow) for kind in KINDS])
def test_not_a_report_is_refused(reader, kind):
    draw, codes = KINDS[kind]
    with pytest.raises(UnreadableReport) as refusal:
        reading = reader.read(draw(1))
        pytest.fail(f"读出了 {[f'{item.name} {item.result}' for item in reading.items]}")
    assert refusal.value.code in codes


def test_kinds_are_many_and_seeds_differ():
    assert len(KINDS) >= 80 and set(KINDS) >= FAST
    for kind in ("supermarket_receipt", "ecg_strip"):
        draw = KINDS[kind][0]
        assert draw(1).tobytes() == draw(1).tobytes() != draw(2).tobytes()
