"""接口文档与真的接口对得上：schemathesis 照着文档造请求，好的坏的都有，看回答合不合文档。"""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"


def test_the_document_names_every_public_address(report_server):
    document = requests.get(f"{report_server}/openapi.json", timeout=30).json()
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {"/analyze_medical_report", "/advice", "/ask", "/fhir", "/health", "/ready"}
    assert urljoin(f"{report_server}/some/path/openapi.json", document["servers"][0]["url"]).endswith("/some/path/")
    assert "LabItem" in document["components"]["schemas"]


@pytest.mark.slow
def test_schemathesis_finds_nothing(report_server, tmp_path):
    command = [SCHEMATHESIS, "run", f"{report_server}/openapi.json", "--max-examples", "100", "--seed", "7"]
    # 随便造的字节不是化验单照片，拒绝它是对的；其余的检查都做
    command += ["--exclude-checks", "positive_data_acceptance", "--request-timeout", "30"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
