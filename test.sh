#!/usr/bin/env bash
# 跑测试：装好测试要的东西（包、浏览器、中文字体），再运行 ruff、mypy 和 pytest。
set -euo pipefail
CDPATH= cd -- "$(dirname -- "$0")"
source 0-env-init/setup_venv.sh

MARKS="not slow and not gpu"
ALONE=

usage() {
  cat <<'EOF'
用法：bash test.sh [--slow]

  （不带参数）   快的测试，2 核上不到十分钟
  --slow         快的和慢的都跑（要 GPU 的除外）
  -h, --help     显示这段说明

设 CI=true 时，没有浏览器算失败；不设时跳过浏览器测试，并提醒。
EOF
}

for arg in "$@"; do
  case $arg in
    --slow) MARKS="not gpu and not alone" ALONE=1 ;;
    -h | --help) usage && exit 0 ;;
    *) die "不认识的参数：$arg" "bash test.sh --help" ;;
  esac
done

warn() { printf '\n!!!!!! %s\n\n' "$1" >&2; }

apt_install() {
  local sudo=
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || return 1
    sudo="sudo -n"
  fi
  echo "用 apt-get 安装 $* …"
  $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}

# 能报出版本才算有：Ubuntu 的 chromium 包可能只是一个叫人去装 snap 的空壳
has_browser() {
  local browser
  for browser in chromium chromium-browser google-chrome; do
    "$browser" --version >/dev/null 2>&1 && return
  done
  python - <<'EOF' 2>/dev/null
import os, sys
from playwright.sync_api import sync_playwright

with sync_playwright() as p:
    sys.exit(not os.path.exists(p.chromium.executable_path))
EOF
}

get_browser() {
  has_browser && return
  apt_install chromium && has_browser && return
  echo "用 Playwright 下载 Chromium …"
  python -m playwright install chromium && has_browser && return
  [ -z "${CI:-}" ] || die "没有浏览器，CI 里网页测试不能跳过。" "apt-get update && apt-get install -y chromium"
  warn "没有浏览器，网页测试会跳过。装一个再来：apt-get install chromium，或 .venv/bin/python -m playwright install --with-deps chromium"
}

# 测试要渲染中文；没有字体，画出来全是方框
get_chinese_font() {
  [ "$(uname -s)" = Linux ] || return 0 # macOS 自带
  [ -z "$(fc-list :lang=zh 2>/dev/null)" ] || return 0
  apt_install fonts-wqy-microhei || warn "没有中文字体，要渲染中文的测试会失败或跳过。装一个再来：apt-get install fonts-wqy-microhei"
}

# 包查一次，各阶段各查一次：阶段之间有同名的脚本，不能放在一起查
check_types() {
  local stage
  python -m mypy || return
  for stage in [0-9]-*/ tools/; do
    python -m mypy "${stage%/}" || return
  done
}

make_venv
install_pins tests/requirements.txt
get_browser
get_chinese_font

status=0
types=$(mktemp)
trap 'rm -f "$types"' EXIT
python -m ruff check . || status=$?
check_types >"$types" 2>&1 & # 测试常在等，查类型不占它们的时间
checking=$!
# 两个进程分着跑，一个文件的测试在一处：很多测试在等，一个核闲着；长的文件在前，见 tests/conftest.py
[ "$status" != 0 ] || python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "$MARKS" || status=$?
wait "$checking" || { status=$?; cat "$types"; }
# 量快慢的，单独跑才准
[ "$status" != 0 ] || [ -z "$ALONE" ] || python -m pytest -m alone tests/8-frontend-apps || status=$?
printf '\n测试用时 %s 秒（含安装），%s\n' "$SECONDS" "$([ "$status" = 0 ] && echo 全部通过 || echo "没有通过（退出码 ${status}）")"
exit "$status"
