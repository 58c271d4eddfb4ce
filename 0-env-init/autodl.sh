#!/usr/bin/env bash
# AutoDL 的机器：从空的到能跑课程，一条命令。再运行一次，做完的不重做。
set -euo pipefail
CDPATH= cd -- "$(dirname -- "$0")/.."
source 0-env-init/cloud_setup.sh

read_options "$@"
use_data_disk "${DATA_DISK:-/root/autodl-tmp}"
set_up
say_next 6006 "控制台的「自定义服务」（AutoDL 只开放 6006）"
