"""从模型站下载一个文件：先 ModelScope，再 Hugging Face，最后它的镜像；下载过的不再下载。

只为一个文件用普通的 HTTP 就够了，等多久、换哪个站、出了错怎么说都看得见。
"""

import hashlib
import os
import threading
import time
from pathlib import Path
from urllib.parse import quote

import requests
from tqdm import tqdm

from health_assistant.artifacts import atomic_path, downloads_dir

# 名字、改地址的环境变量、地址、路径。ModelScope 的数据集与 Hugging Face 的同名，路径的写法不同
MODELSCOPE = "{base}/api/v1/{kind}s/{repo}/repo?Revision=master&FilePath={file}"
HUGGING_FACE = "{base}/{prefix}{repo}/resolve/main/{file}"
HUBS = (
    ("ModelScope", "HUB_MODELSCOPE", "https://www.modelscope.cn", MODELSCOPE),
    ("Hugging Face", "HUB_HUGGINGFACE", "https://huggingface.co", HUGGING_FACE),
    ("HF 镜像", "HUB_MIRROR", "https://hf-mirror.com", HUGGING_FACE),
)
PROBE_SECONDS = 4  # 三个站一起问，总共最多等这么久
TIMEOUT = (4, 20)  # 连接；两次收到数据之间
ATTEMPTS = 3
CHUNK = 1 << 16


class HubError(Exception):
    """哪个站都没给；消息里有每个站的原因与离线的办法。"""


def download(repo_id: str, filename: str, sha256: str | None = None, kind: str = "dataset") -> Path:
    """仓库 repo_id（kind 是 dataset 或 model）里的 filename，返回本机上的路径。

    给了 sha256 就核对，不符的不收。设了 HF_HUB_OFFLINE=1 时不联网，只用下载过的。
    """
    path = downloads_dir() / f"{kind}s" / repo_id / filename
    reasons = []
    if path.is_file():
        if sha256 in (None, file_sha256(path)):
            return path
        reasons.append(f"{path} 已经有了，但校验和不对")
    parts = {"kind": kind, "prefix": "datasets/" if kind == "dataset" else "", "repo": repo_id}
    bases = {name: (os.environ.get(variable) or base).rstrip("/") for name, variable, base, _ in HUBS}
    urls = {name: pattern.format(base=bases[name], file=quote(filename), **parts) for name, _, _, pattern in HUBS}
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        reasons.append("环境变量 HF_HUB_OFFLINE 说不联网")
    else:
        probes = {name: Probe(base) for name, base in bases.items()}
        deadline = time.monotonic() + PROBE_SECONDS
        for name, url in urls.items():
            try:
                probes[name].wait(deadline)
                fetch(url, path, sha256, name)
                return path
            except (requests.RequestException, HubError) as error:
                reasons.append(f"{name} {reason_of(error)}")
    raise HubError(
        f"下载不到 {repo_id} 的 {filename}（{'；'.join(reasons)}）。"
        f"没有网时，在别的机器上从 {urls['Hugging Face']} 下载，放到 {path}，再运行一次"
    )


class Probe:
    """在守护线程里问一个站通不通：域名解析不受 timeout 约束，不能让它拖住后面的站。"""

    def __init__(self, base: str):
        self.error: Exception | None = requests.ConnectTimeout()
        self.thread = threading.Thread(target=self.ask, args=(base,), daemon=True)
        self.thread.start()

    def ask(self, base: str) -> None:
        try:
            requests.head(base, timeout=PROBE_SECONDS)  # 答什么都行，答话就是通
            self.error = None
        except requests.RequestException as error:
            self.error = error

    def wait(self, deadline: float) -> None:
        self.thread.join(max(0.0, deadline - time.monotonic()))
        if self.error:
            raise self.error


def fetch(url: str, path: Path, sha256: str | None, hub: str) -> None:
    """下载到 path；断了就接着已经收到的再来，最多 ATTEMPTS 次。"""
    with atomic_path(path) as partial:
        partial.touch()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                receive(url, partial, f"{path.name} ← {hub}")
                break
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if attempt == ATTEMPTS:
                    raise
                time.sleep(0.5 * attempt)
        if sha256 and (got := file_sha256(partial)) != sha256:
            raise HubError(f"给的文件校验和不对（要 {sha256[:12]}…，得到 {got[:12]}…）")


def receive(url: str, partial: Path, label: str) -> None:
    """把 url 的内容接在 partial 后面；服务器不会接着发时从头收。"""
    have = partial.stat().st_size
    # 不要压缩：断点要按文件本身的字节算
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code >= 500:
            raise requests.ConnectionError(f"HTTP {response.status_code}")  # 服务器一时的毛病，值得再试
        response.raise_for_status()
        if "text/html" in response.headers.get("Content-Type", ""):
            raise HubError("给的是网页，不是文件（要登录，或被网络拦下了）")
        resumed = response.status_code == 206
        total = int(response.headers.get("Content-Length", 0)) + have * resumed or None
        bar = tqdm(desc=label, total=total, initial=have * resumed, unit="B", unit_scale=True, leave=False)
        with bar, open(partial, "ab" if resumed else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))


def reason_of(error: Exception) -> str:
    if isinstance(error, requests.HTTPError):
        missing = "，没有这个文件" if error.response.status_code == 404 else ""
        return f"答 HTTP {error.response.status_code}{missing}"
    if isinstance(error, HubError):
        return str(error)
    if isinstance(error, requests.Timeout):
        return "没有答话"
    if isinstance(error, requests.ConnectionError) and str(error).startswith("HTTP "):
        return f"答 {error}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"传到一半断开，试了 {ATTEMPTS} 次"
    return f"连不上（{type(error).__name__}）"


def file_sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
