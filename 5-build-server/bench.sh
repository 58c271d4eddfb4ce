#!/usr/bin/env bash
# 阶段 5：压测一个 OpenAI 兼容的服务，哪个后端都行。由 EvalScope 发请求，这里只挑参数、汇总。
set -euo pipefail
case ${PROMPTS:-} in [!/]*) PROMPTS=$PWD/$PROMPTS ;; esac # 从运行命令的目录写的
CDPATH= cd -- "$(dirname -- "$0")/.."

usage() {
  cat <<'EOF'
用法：bash 5-build-server/bench.sh [地址] [模型]

  地址          到 /v1 为止，默认 http://127.0.0.1:8001/v1
  模型          默认 /v1/models 里的第一个

环境变量：PARALLEL="1 4 16" 各档的并发；NUMBER="8 32 64" 各档共发几个请求；MAX_TOKENS=128 回答最多多少个词元；
PROMPTS=一行一个提问的文件；MODEL_SERVER_API_KEY=服务的密钥
写下 artifacts/bench/模型/ 的 bench.md、bench.png，和 EvalScope 的原始记录。
EOF
}

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  -*) usage >&2 && exit 2 ;;
esac

url=${1:-http://127.0.0.1:8001/v1}
key=${MODEL_SERVER_API_KEY:-none}
model=$(python 5-build-server/bench_results.py model "$url" ${2:+"$2"})
folder=$(python 5-build-server/bench_results.py folder "$model")
rm -rf "$folder/evalscope" && mkdir -p "$folder/evalscope"

echo "压测 $url 上的 $model，并发 ${PARALLEL:=1 4 16} …"
# 各档之间歇 2 秒，让上一档的收尾；数字之间的空格要拆开，所以不加引号
# shellcheck disable=SC2086
python -m evalscope.cli.cli perf --api openai --url "${url%/}/chat/completions" --model "$model" --api-key "$key" \
  --dataset line_by_line --dataset-path "${PROMPTS:-5-build-server/bench-prompts.txt}" \
  --parallel $PARALLEL --number ${NUMBER:-8 32 64} --max-tokens "${MAX_TOKENS:-128}" --sleep-interval 2 \
  --outputs-dir "$folder/evalscope" --no-timestamp >"$folder/evalscope.log" 2>&1 || {
  tail -n 20 "$folder/evalscope.log" >&2
  exit 1
}
python 5-build-server/bench_results.py report "$model"
