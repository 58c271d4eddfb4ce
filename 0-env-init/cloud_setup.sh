# shellcheck shell=bash
# autodl.sh 与 cloudstudio.sh 共用：租来的机器，从空的到 check_env.py 通过。用 source 引入，当前目录须是仓库根。
# 停在哪一步都可以再运行一次：做完的不重做，做了一半的重来。
source 0-env-init/setup_venv.sh

NETWORK_TURBO=${NETWORK_TURBO:-/etc/network_turbo}          # AutoDL 的学术加速
CONDA_HOME=${CONDA_HOME:-/root/miniconda3}                  # 镜像自带的 conda，不一定在 PATH 里
PROXIES="http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY"

read_options() {
  case ${1:-} in
    '') ;;
    -h | --help)
      cat <<EOF
用法：bash $0

从空的机器到 check_env.py 通过，一条命令；再运行一次，做完的不重做。.venv、产物、缓存都放数据盘，有 NVIDIA GPU 就按驱动装 GPU 的包。
环境变量：DATA_DISK=数据盘的目录；PYTHON=建 .venv 用的 Python；PIP_INDEX_URL=换一个软件源
EOF
      exit 0
      ;;
    *) die "不认识的参数：$1" "bash $0 --help" ;;
  esac
}

# use_data_disk 数据盘：系统盘小，环境、产物、缓存都放数据盘
use_data_disk() {
  [ -d "$1" ] && [ -w "$1" ] || die "数据盘 $1 没有，或不能写。" "DATA_DISK=别的目录 bash $0"
  HOME_ON_DISK=$(cd "$1" && pwd -P)/health-assistant
  mkdir -p "$HOME_ON_DISK"/{cache/pip,cache/huggingface,cache/modelscope,tmp}
  case "$(pwd -P)/" in
    "$(dirname "$HOME_ON_DISK")"/*) ;;
    *)
      link_to_disk .venv "rm -rf .venv"
      link_to_disk artifacts "mv artifacts $(printf %q "$HOME_ON_DISK/")"
      ;;
  esac
  write_env_file
  # shellcheck disable=SC1091
  source "$HOME_ON_DISK/activate"
}

# link_to_disk 目录 已经有了怎么办：仓库在系统盘上时，目录成为指向数据盘的链接
link_to_disk() {
  local target="$HOME_ON_DISK/${1#.}"
  if [ -e "$1" ] && [ ! -L "$1" ]; then
    echo "! $1 已经在系统盘上，没有动它。要放到数据盘：$2，再运行一次。"
    return
  fi
  mkdir -p "$target"
  ln -sfn "$target" "$1"
}

write_env_file() {
  local disk venv turbo # 路径里可能有空格：写进文件之前加好引号
  disk=$(printf %q "$HOME_ON_DISK") venv=$(printf %q "$(pwd -P)/.venv/bin") turbo=$(printf %q "$NETWORK_TURBO")
  cat >"$HOME_ON_DISK/activate" <<EOF
# 由 $0 写成；新开的终端会自动 source 它（见 ~/.bashrc）
export PIP_CACHE_DIR=$disk/cache/pip
export HF_HOME=$disk/cache/huggingface
export MODELSCOPE_CACHE=$disk/cache/modelscope
export UNSLOTH_USE_MODELSCOPE=1
export TMPDIR=$disk/tmp # pip 的临时文件、GPU 测试造的基座都有好几 GB
export PATH=$venv:\$PATH
# with_turbo 命令…：只让这一条命令走学术加速（GitHub、Hugging Face）；pip 走它反而慢
with_turbo() { ( [ ! -f $turbo ] || source $turbo >/dev/null; "\$@" ); }
EOF
  local line="source $disk/activate"
  grep -qsxF "$line" ~/.bashrc || echo "$line" >>~/.bashrc
}

# 学术加速的代理只在这个脚本里去掉；用户自己设的别的代理不动
turn_turbo_off() {
  [ "${http_proxy:-}" ] && grep -qsF "$http_proxy" "$NETWORK_TURBO" || return 0
  echo "安装时不走学术加速：它只为 GitHub 与 Hugging Face，pip 的镜像在国内。"
  # shellcheck disable=SC2086
  unset $PROXIES
}

# 自带的 Python 合适就用它；不合适，有 conda 就另建一个 3.12，没有就用 apt 装；都不成由 make_venv 说怎么办
get_python() {
  local conda version
  [ -z "${PYTHON:-}" ] || return 0
  PYTHON=$(find_python 2>/dev/null && echo "$PYTHON") && "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null && return
  PYTHON="$HOME_ON_DISK/python/bin/python"
  ! fits "$PYTHON" || return 0
  conda=$(command -v conda || command -v "$CONDA_HOME/bin/conda" || true)
  if [ "$conda" ]; then
    echo "自带的 Python 不是 3.11 或 3.12，用 conda 另建一个：$HOME_ON_DISK/python"
    rm -rf "$HOME_ON_DISK/python" # 上次停在一半的
    "$conda" create -y -q -p "$HOME_ON_DISK/python" python=3.12 ||
      die "conda 没有建成 Python 3.12，原因见上面。" "网络通了再运行一次；或自己装 Python 3.12，再 PYTHON=它的路径 bash $0"
    return
  fi
  PYTHON=
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq || return 0
  for version in 3.12 3.11; do
    if apt-get install -y -qq "python$version" "python$version-venv"; then
      PYTHON=python$version
      return
    fi
  done
}

# 驱动的大版本；没有 GPU 时是 0
driver_version() {
  local version
  version=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1) || version=0
  version=${version%%.*}
  case $version in '' | *[!0-9]*) echo 0 ;; *) echo "$version" ;; esac
}

# 最老的一张卡的算力 × 10（V100 是 70）；问不出就当它够新
oldest_card() {
  { nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null || true; } |
    awk '/^[0-9.]+$/ && (!oldest || $1 < oldest) { oldest = $1 } END { print oldest ? oldest * 10 : 999 }'
}

# 按驱动与卡选清单，路径放在 PINS。NVIDIA：CUDA 13 要 580 起的驱动、算力 7.5 起的卡，CUDA 12 要 525 与 7.0 起
choose_pins() {
  local driver compute
  driver=$(driver_version) compute=$(oldest_card)
  PINS=requirements.txt
  if [ "$driver" = 0 ]; then
    echo "没有 NVIDIA GPU（AutoDL 的「无卡模式」也是这样）：装 CPU 也能用的一组，有卡时再运行一次就补上 GPU 的。"
    return
  fi
  NEED_GB=20 # 压缩着就有三四 GB，解开、缓存、临时文件各一份（估计）
  if [ "$driver" -ge 525 ] && [ "$compute" -lt 70 ]; then
    NEED_GB=6
    echo "! 这张卡太老（算力不到 7.0），GPU 用不上，先装 CPU 也能用的一组。"
  elif [ "$driver" -ge 580 ] && [ "$compute" -ge 75 ]; then
    PINS=0-env-init/requirements-gpu.txt
  elif [ "$driver" -ge 525 ]; then
    PINS="$HOME_ON_DISK/requirements-gpu-cu12.txt"
    pins_for_cuda_12 >"$PINS"
    echo "! 驱动 $driver 只到 CUDA 12（CUDA 13 要 580 起），或卡是 V100（CUDA 13 不认它）：torch 换成按 CUDA 12 编译的 2.10，其余不变。"
    echo "  这一组能一起解析，还没有在 GPU 上跑过；能换镜像或主机的，优先换驱动 580 起的。"
  else
    NEED_GB=6
    echo "! 驱动 $driver 太旧（CUDA 12 要 525 起，CUDA 13 要 580 起），GPU 用不上，先装 CPU 也能用的一组。"
    echo "  容器里升级不了驱动：换一台驱动 580 起（最高支持 CUDA 13）的主机，再运行一次。"
  fi
}

# requirements-gpu-cu12.txt 里写着的盖过另外两份里的
pins_for_cuda_12() {
  local replaced
  replaced=$(sed -n 's/==.*//p' 0-env-init/requirements-gpu-cu12.txt | paste -sd '|')
  grep -h '==' requirements.txt 0-env-init/requirements-gpu.txt | grep -v '^#' | grep -vE "^($replaced)=="
  grep '==' 0-env-init/requirements-gpu-cu12.txt
  echo "-e ."
}

set_up() {
  turn_turbo_off
  # 上次停在建 .venv 的一半：有 Python 而没有 pip，清空重建
  if [ -e .venv/bin/python ] && ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    find .venv/ -mindepth 1 -delete
  fi
  get_python
  choose_pins
  # 换过主机、清单不同了：旧的那份记录不再算数
  [ -f "$(record_of "$PINS")" ] || rm -f .venv/installed-*requirements-gpu*
  make_venv "$PINS"
  fingerprint requirements.txt >"$(record_of requirements.txt)" # run.sh 与 test.sh 不必再装一遍
  .venv/bin/python 0-env-init/check_env.py || exit $?
  [ "$PINS" = requirements.txt ] || see_gpu
}

see_gpu() {
  if .venv/bin/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    echo "torch 看得见 GPU。"
  else
    echo "! torch 看不见 GPU：读化验单、网页与 tiny 配方不受影响。换一个驱动更新的镜像或主机再试。"
  fi
}

say_next() {
  cat <<EOF

装好了。新开的终端自动用上这个环境；这个终端先运行：
  source $(printf %q "$HOME_ON_DISK")/activate
然后：
  bash run.sh --no-serve                        # 用微型配方把各阶段走一遍
  HOST=0.0.0.0 PORT=$1 bash run.sh app        # 打开网页：$2
要从 GitHub、Hugging Face 下载而慢时，只给那一条命令加速：with_turbo 命令…
EOF
}
