# shellcheck shell=bash
# run.sh、test.sh 与 cloud_setup.sh 共用：找 Python、建 .venv、装依赖。用 source 引入，当前目录须是仓库根。

NEED_GB=6 # 装好约占 2.4 GB（CPU 版 torch），下载和解包另要地方
# PYTHON=../别处/bin/python 是从运行命令的目录写的，而这里已经到了仓库根
case ${PYTHON:-} in [!/]*/*) PYTHON=${OLDPWD:-.}/$PYTHON ;; esac
SUDO=$([ "$(id -u)" = 0 ] || echo "sudo ")

# die 出了什么事 怎么办：缺东西、用法不对都从这里退出
die() {
  printf '\n✗ %s\n  解决：%s\n' "$1" "$2" >&2
  exit 2
}

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' >/dev/null 2>&1; }

# 已有的 .venv 优先；其次 PYTHON=… 指定的；再次当前环境（conda 等）的 python，最后才是系统里另有的
find_python() {
  local candidate others=(python3 python python3.12 python3.11)
  [ -z "${PYTHON:-}" ] || others=("$PYTHON")
  for candidate in .venv/bin/python "${others[@]}"; do
    if fits "$candidate"; then
      PYTHON=$candidate
      return
    fi
  done
  die "没有找到 Python 3.11 或 3.12${PYTHON:+（指定的 PYTHON=$PYTHON 不合适或不能运行）}。" "$(python_remedy)"
}

python_remedy() {
  local version=3.11
  if command -v conda >/dev/null; then
    echo "conda create -y -n health python=3.12 && conda activate health，再运行一次。"
  elif command -v brew >/dev/null; then
    echo "brew install python@3.12，再运行一次。"
  elif command -v apt-get >/dev/null; then
    apt-cache show python3.12-venv >/dev/null 2>&1 && version=3.12
    echo "${SUDO}apt-get update && ${SUDO}apt-get install -y python$version python$version-venv，再运行一次。"
  else
    echo "装 Python 3.12 或 Miniconda，再运行 PYTHON=它的路径 bash $0。"
  fi
}

# .venv 可能是指向数据盘的链接，看它所在的盘
check_disk() {
  local free_gb place=.
  [ ! -d .venv ] || place=.venv
  free_gb=$(df -Pk "$place/." | awk 'NR == 2 { print int($4 / 1048576) }')
  [ "$free_gb" -ge "$NEED_GB" ] ||
    die "磁盘只剩 ${free_gb} GB，安装至少要 ${NEED_GB} GB。" "清理磁盘，或把仓库移到更大的盘：mv '$PWD' 更大的盘/"
}

record_of() { echo ".venv/installed-${1//\//-}"; }

warn_of_download() {
  if [ "$1" != requirements.txt ]; then
    echo "要安装 $1：torch 与 NVIDIA 的包要下载 3 到 5 GB。"
    return
  fi
  cat <<EOF
要安装 requirements.txt：用 CPU 版 torch 约 2 分钟，装好约占 2.4 GB。
注意：公共软件源上 Linux 的 torch 是 CUDA 版，还要下载 15 个 NVIDIA 的包，有好几 GB。没有 NVIDIA GPU
就不必：设 PIP_FIND_LINKS 或 PIP_EXTRA_INDEX_URL 指向有 CPU 版 torch 的地方，这里会用它。
EOF
}

# make_venv [清单]：建 .venv，装清单里的包（默认 requirements.txt）
make_venv() {
  local pins=${1:-requirements.txt} place=.venv
  find_python
  if [ ! -f "$(record_of "$pins")" ]; then
    check_disk
    warn_of_download "$pins"
  fi
  if [ "$PYTHON" != .venv/bin/python ]; then
    "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
      die "$PYTHON 没有 venv 模块（Debian、Ubuntu 把它另外打包）。" \
        "${SUDO}apt-get update && ${SUDO}apt-get install -y python$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv，再运行一次。"
    echo "用 $("$PYTHON" --version) 建 .venv …"
    [ ! -L .venv ] || place=$(cd .venv && pwd -P) # venv 不肯建在链接上
    "$PYTHON" -m venv --clear "$place"
  fi
  install_pins "$pins"
  export PATH="$PWD/.venv/bin:$PATH" PYTHONUNBUFFERED=1
}

# 装过什么记在 .venv/installed-*：依赖、Python、仓库位置都没变，就不用再装
fingerprint() { (cat requirements.txt pyproject.toml "$1" && .venv/bin/python --version && pwd -P) | cksum; }

install_pins() {
  [ "$(cat "$(record_of "$1")" 2>/dev/null)" != "$(fingerprint "$1")" ] || return 0
  .venv/bin/python -m pip --version >/dev/null 2>&1 ||
    die ".venv 里没有 pip。" ".venv/bin/python -m ensurepip，再运行一次。"
  if ! .venv/bin/python -m pip install --disable-pip-version-check -r "$1"; then
    printf '\n✗ %s 没有装成，原因见上面 pip 的最后几行。\n' "$1" >&2
    printf '  解决：网络慢或不通时换一个软件源，再运行一次：PIP_INDEX_URL=… bash %s\n' "$0" >&2
    exit 1
  fi
  fingerprint "$1" >"$(record_of "$1")"
}
