#!/usr/bin/env bash
# 腾讯 Cloud Studio 的工作空间：从空的到能跑课程，一条命令。再运行一次，做完的不重做。
set -euo pipefail
CDPATH= cd -- "$(dirname -- "$0")/.."
source 0-env-init/cloud_setup.sh

read_options "$@"
use_data_disk "${DATA_DISK:-/workspace}"
set_up
say_next 8000 "平台的端口面板里打开 8000"
