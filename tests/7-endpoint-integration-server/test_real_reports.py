"""24 张真实化验单经 HTTP 接口：行全、异常全、没有误报、没有无声的错；以及服务的内存峰值。"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from real_reports import FOLDER, load_truth, needs_real_reports
from report_servers import upload

from health_assistant.lab_report.report import LabReport
from health_assistant.lab_report.scoring import ReportScore, score_report

pytestmark = needs_real_reports
MAX_MEMORY_GB = 1.2


def read_over_http(server: str, file: str) -> LabReport:
    answer = upload(server, (FOLDER / file).read_bytes())
    answer.raise_for_status()
    return LabReport.model_validate(answer.json()["report"])


def check(server: str, files, capsys) -> ReportScore:
    truth, total = load_truth(), ReportScore()
    with capsys.disabled():
        print()
        for file in files:
            score = score_report(read_over_http(server, file), truth[file])
            total += score
            print(f"{file:14}{score}", *score.silent_errors, sep="\n    " if score.silent_errors else "")
        print(f"{'合计':12}{total}")
    return total


def assert_faithful(total: ReportScore) -> None:
    assert total.found == total.rows
    assert total.invented == 0
    assert total.abnormal_found == total.abnormal
    assert total.abnormal_false == 0
    assert total.silent_errors == []


@pytest.mark.slow
def test_all_reports(report_server, capsys):
    total = check(report_server, sorted(load_truth()), capsys)
    assert (total.rows, total.abnormal) == (sum(map(len, load_truth().values())), 80)
    assert_faithful(total)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="内存峰值要从 /proc 读")
def test_peak_memory(report_server, capsys):
    """几张最大的照片一起来，服务（主进程与工作进程）的内存峰值。"""
    largest = sorted(FOLDER.glob("*.jpg"), key=os.path.getsize)[-3:]
    with ThreadPoolExecutor(len(largest)) as pool:
        list(pool.map(lambda file: read_over_http(report_server, file.name), largest))
    children = psutil.Process().children(recursive=True)
    processes = [one for one in children if "medical_report_server" in str(one.cmdline())]
    peak_gb = sum(peak_bytes(one.pid) for one in processes) / 1e9
    with capsys.disabled():
        print(f"\n服务的内存峰值：{peak_gb:.2f} GB（{len(processes)} 个进程）")
    assert len(processes) == 2
    assert peak_gb <= MAX_MEMORY_GB


def peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
