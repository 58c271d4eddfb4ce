"""Markdown → HTML：许多线程同时用，结果不变，内存不涨。"""

from concurrent.futures import ThreadPoolExecutor

import psutil
from medical_report.spoken import to_html

ADVICE = "### 近期门诊：几天内\n\n- **血红蛋白 73 g/L ↓ 明显偏低**：要查血型。\n" * 20


def test_many_threads_render_the_same_without_growing():
    once = to_html(ADVICE)
    assert once.startswith("<h3>近期门诊：几天内</h3>\n<ul>\n<li><strong>血红蛋白 73 g/L ↓ 明显偏低</strong>：")
    memory = psutil.Process().memory_info
    before = memory().rss
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(to_html, [ADVICE] * 3000)) == {once}
    assert (memory().rss - before) / 2**20 < 40  # 漏的库在这里涨一百多 MB


def test_only_plain_tags_are_left():
    html = to_html(
        '<script>1</script><img src=x onerror=1>\n\n[点](javascript:1) ![图](http://x/y) <b onclick="1">粗</b>'
    )
    assert not any(part in html for part in ("<script", "<img", "<a", "href", "onclick", "<b"))
