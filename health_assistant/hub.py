"""从模型站下载数据集的一个文件、一个模型：先 ModelScope，再 Hugging Face，最后它的镜像；下载过的不再下载。

怎样问、断了接着下、重试、进度，由 modelscope 与 huggingface_hub 管；这里管换站、校验，和哪个站都没给时怎么说。
"""

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import requests

from health_assistant.artifacts import downloads_dir

PROBE_SECONDS = 4
"""三个站一起问通不通，总共最多等这么久：两个库自己会等一个不答话的站好几分钟。"""


class HubError(Exception):
    """哪个站都没给；消息里有每个站的原因与离线的办法。"""


def _from_modelscope(base: str, repo_id: str, filename: str | None = None, folder: str | None = None) -> str:
    if filename is None:
        from modelscope import snapshot_download

        return snapshot_download(repo_id, endpoint=base)
    os.environ.setdefault("MODELSCOPE_DOWNLOAD_MAX_RETRIES", "2")  # 默认 5 次：站出错时半分钟才换下一个
    from modelscope.hub.file_download import dataset_file_download

    return dataset_file_download(repo_id, filename, local_dir=folder, endpoint=base)


def _from_hugging_face(base: str, repo_id: str, filename: str | None = None, folder: str | None = None) -> str:
    from huggingface_hub import hf_hub_download, snapshot_download

    if filename is None:
        return snapshot_download(repo_id, endpoint=base)
    return hf_hub_download(repo_id, filename, repo_type="dataset", local_dir=folder, endpoint=base)


Fetch = Callable[..., str]
"""一个站的下载：地址、仓库，与数据集的哪个文件、放到哪里；没有说文件的是整个模型，放在那个库自己的缓存里。"""
HUBS: tuple[tuple[str, str, str, Fetch], ...] = (
    ("ModelScope", "HUB_MODELSCOPE", "https://www.modelscope.cn", _from_modelscope),
    ("Hugging Face", "HUB_HUGGINGFACE", os.environ.get("HF_ENDPOINT") or "https://huggingface.co", _from_hugging_face),
    ("HF 镜像", "HUB_MIRROR", "https://hf-mirror.com", _from_hugging_face),
)
"""名字、改地址的环境变量、地址、怎样下载。"""


def download(repo_id: str, filename: str, sha256: str | None = None) -> Path:
    """数据集 repo_id 里的 filename，返回本机上的路径。

    给了 sha256 就核对，不符的不收。设了 HF_HUB_OFFLINE=1 时不联网，只用下载过的。哪个站都没给时抛 `HubError`。
    """
    path = downloads_dir() / "datasets" / repo_id / filename
    if path.is_file() and sha256 in (None, file_sha256(path)):
        return path
    damaged = f"{path} 已经有了，但校验和不对；" if path.is_file() else ""

    def fetch_checked(fetch: Fetch, base: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
            fetched = Path(fetch(base, repo_id, filename, folder))
            check(fetched, sha256)
            return fetched.replace(path)

    try:
        return _from_first_hub(fetch_checked)
    except HubError as error:
        page = f"{HUBS[1][2]}/datasets/{repo_id}/resolve/main/{filename}"
        raise HubError(
            f"下载不到 {repo_id} 的 {filename}（{damaged}{error}）。"
            f"没有网时，在别的机器上从 {page} 下载，放到 {path}，再运行一次"
        ) from error


def download_model(name: str) -> Path:
    """模型 name 的目录，在 modelscope 或 huggingface_hub 的缓存里；哪个站都没给、也没有下载过时抛 `HubError`。"""
    answered = []

    def fetch_model(fetch: Fetch, base: str) -> Path:
        answered.append(base)
        return Path(fetch(base, name))

    try:
        return _from_first_hub(fetch_model)
    except HubError as error:
        if answered:  # 有站答了话却没给全：缓存里可能只有一半
            raise HubError(f"得不到模型 {name}（{error}）") from error
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            return Path(snapshot_download(name, local_files_only=True))
        except (LocalEntryNotFoundError, ValueError):  # 后一种：名字不合写法
            raise HubError(f"得不到模型 {name}（{error}；本机没有下载过）") from error


def _from_first_hub(get: Callable[[Fetch, str], Path]) -> Path:
    """get（收一个站怎样下载、它的地址）从第一个肯给的站得到的；都不给时抛 `HubError`，消息是每个站的原因。"""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise HubError("环境变量 HF_HUB_OFFLINE 说不联网")
    reasons = []
    bases = [(os.environ.get(variable) or default).rstrip("/") for _, variable, default, _ in HUBS]
    probes = [_start_probe(base) for base in bases]
    deadline = time.monotonic() + PROBE_SECONDS
    for (name, _, _, fetch), base, probe in zip(HUBS, bases, probes, strict=True):
        try:
            probe.result(max(deadline - time.monotonic(), 0))
            return get(fetch, base)
        except Exception as error:  # 网络库抛什么都有，哪一种都换下一个站
            reasons.append(f"{name} {reason_of(error)}")
    raise HubError("；".join(reasons))


def _start_probe(base: str) -> Future[None]:
    """在守护线程里问一个站通不通：域名解析不受 timeout 约束，不能让它拖住后面的站。"""
    answered: Future[None] = Future()

    def ask() -> None:
        try:
            requests.head(base, timeout=PROBE_SECONDS)  # 答什么都行，答话就是通
            answered.set_result(None)
        except requests.RequestException as error:
            answered.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    return answered


def check(file: Path, sha256: str | None) -> None:
    """是网页（要登录，或被网络拦下了）、校验和不对，都抛 `HubError`。"""
    with open(file, "rb") as opened:
        if opened.read(256).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise HubError("给的是网页，不是文件（要登录，或被网络拦下了）")
    actual = file_sha256(file)
    if sha256 and actual != sha256:
        raise HubError(f"给的文件校验和不对（要 {sha256[:12]}…，得到 {actual[:12]}…）")


def reason_of(error: Exception) -> str:
    """一个站为什么没给，一句话。"""
    if isinstance(error, HubError):
        return str(error)
    for told in (error, error.__cause__):  # 两个库把状态码放在不同的地方
        status = getattr(told, "status_code", None) or getattr(getattr(told, "response", None), "status_code", None)
        if status:
            return f"答 HTTP {status}" + ("，没有这个文件" if status == 404 else "")
    if isinstance(error, requests.Timeout | TimeoutError):
        return "没有答话"
    return f"连不上，或传到一半断开（{type(error).__name__}）"


def file_sha256(path: Path) -> str:
    """一个文件的 SHA-256，十六进制。"""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
