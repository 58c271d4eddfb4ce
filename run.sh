#!/usr/bin/env bash
# 健康助手：装好环境，按顺序跑一遍现有的阶段，然后打开网页。
set -euo pipefail
CDPATH= cd -- "$(dirname -- "$0")"
source 0-env-init/setup_venv.sh

HOST=${HOST:-127.0.0.1}
PORT=${PORT:-8000}
RUN_STAGES=1
SERVE=1
FORCE=

usage() {
  cat <<'EOF'
用法：bash run.sh [--force] [--no-serve] [app]

  （不带参数）   装环境，跑各阶段，最后打开网页，按 Ctrl-C 结束
  app            只打开网页
  --no-serve     只跑各阶段，不打开网页
  --force        跑完过的阶段也重跑
  -h, --help     显示这段说明

环境变量：PORT=8000；HOST=127.0.0.1（设成 0.0.0.0，别的机器也能访问）；PYTHON=建 .venv 用的 Python
EOF
}

for arg in "$@"; do
  case $arg in
    app) RUN_STAGES= ;;
    --no-serve) SERVE= ;;
    --force) FORCE=--force ;;
    -h | --help) usage && exit 0 ;;
    *) die "不认识的参数：$arg" "bash run.sh --help" ;;
  esac
done
[ "$RUN_STAGES$SERVE" ] || die "app 与 --no-serve 一起用，就没有事可做了。" "只留一个。"

# ---- 各阶段，一行一个："标题|artifacts 里的目录|命令"。新阶段加一行就行 ----
STAGES=(
  "0 环境检查|0-env-init|run python 0-env-init/check_env.py"
  "1 评测数据|eval-data|run python 1-eval-data-prepare/prepare_cmb_clin.py $FORCE"
  "2 微调前评测|eval/tiny/before|run python 2-eval-before-tuning/eval_before.py $FORCE"
  "3 微调|llm/tiny|stage_3"
  "4 微调后评测|eval/tiny|stage_4"
  "5 模型服务|5-build-server|stage_5"
  "6 微调视觉模型|vl|stage_6"
  "7 接口集成|7-endpoint-integration-server|stage_7"
)

stage_3() {
  run python 3-fine-tuning-llm/prepare_train_data.py --source sample $FORCE &&
    run python 3-fine-tuning-llm/check_contamination.py --name tiny &&
    run python 3-fine-tuning-llm/train_llm.py $FORCE &&
    run python 3-fine-tuning-llm/merge_llm.py $FORCE
}

stage_4() {
  run python 4-eval-after-tuning/eval_after.py $FORCE && run python 4-eval-after-tuning/compare.py
}

stage_5() {
  local port && port=$(free_port 8001)
  with_server model-server "http://127.0.0.1:$port/health" \
    "python 5-build-server/serve.py --backend embedded --port $port" \
    python 5-build-server/ask_server.py --base-url "http://127.0.0.1:$port/v1" $FORCE &&
    verify_deployment llm
}

# verify_deployment llm|vl：把微调好的微型模型放到服务上，核对服务里的就是训练出来的
verify_deployment() {
  local port && port=$(free_port 8001)
  with_server "tuned-$1-server" "http://127.0.0.1:$port/health" \
    "python 5-build-server/serve.py --backend transformers --model artifacts/$1/tiny/merged --port $port" \
    python 5-build-server/verify_deployment.py --kind "$1" --base-url "http://127.0.0.1:$port/v1"
}

stage_6() {
  run python 6-fine-tuning-vl/render_reports.py $FORCE &&
    run python 6-fine-tuning-vl/train_vl.py $FORCE &&
    run python 6-fine-tuning-vl/merge_vl.py $FORCE &&
    run python 6-fine-tuning-vl/eval_vl.py --reader before after $FORCE &&
    verify_deployment vl
}

stage_7() {
  local port && port=$(free_port 8002)
  with_server report-server "http://127.0.0.1:$port/health" \
    "python 7-endpoint-integration-server/medical_report_server.py --port $port" \
    python 7-endpoint-integration-server/test_client.py \
    8-frontend-apps/HealthAssistantWebApp/examples/blood-count.png --server "http://127.0.0.1:$port" $FORCE
}

# ---- 起进程与停进程：各在自己的进程组里，停的时候连它的子进程一起停 ----
RUNNING=

spawn() {
  set -m # 有了它，后台任务才有自己的进程组
  "$@" </dev/null &
  set +m
  RUNNING="$RUNNING $!"
}

# 放到后台再等，收到 Ctrl-C 或 SIGTERM 时 bash 才能马上处理，不必等命令跑完
run() {
  spawn "$@"
  wait $!
}

stop_all() {
  local group _
  for group in $RUNNING; do
    kill -TERM -- "-$group" 2>/dev/null || continue
    for _ in {1..50}; do
      kill -0 -- "-$group" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$group" 2>/dev/null || true
  done
  RUNNING=
}
trap stop_all EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# free_port 号：这个号空着就用它（问过没有，也看问的是哪个地址），不空就随便一个
free_port() {
  python - "$1" <<'EOF'
import socket, sys

for port in (int(sys.argv[1]), 0):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("127.0.0.1", port))
        break
    except OSError:
        continue
print(server.getsockname()[1])
EOF
}

# 本机的服务不走代理
answers() {
  python - "$1" >/dev/null 2>&1 <<'EOF'
import sys, urllib.request as web

web.build_opener(web.ProxyHandler({})).open(sys.argv[1], timeout=2)
EOF
}

# start_server 日志名 就绪网址 命令…：后台起服务，等到它答话；进程号在 SERVER
start_server() {
  local log="artifacts/logs/$1.log" ready=$2 deadline=$((SECONDS + 180)) # 忙的机器上装好模型可以要一两分钟；退出了就不再等
  shift 2
  mkdir -p artifacts/logs
  echo "启动服务：$*（日志：$log）"
  spawn "$@" >"$log" 2>&1
  SERVER=$!
  while kill -0 "$SERVER" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do
    answers "$ready" && return
    sleep 0.2
  done
  printf '\n✗ 服务没有起来。%s 的最后几行：\n' "$log" >&2
  tail -n 20 "$log" >&2
  return 1
}

# with_server 日志名 就绪网址 "服务的命令" 命令…：服务起来后运行命令，然后停掉服务；
# 命令说（--recall）做过了、什么也没有变，就不必起服务
with_server() {
  local name=$1 ready=$2 server=$3 status=0
  shift 3
  if [ -z "$FORCE" ] && "$@" --recall; then return; fi
  start_server "$name" "$ready" $server || return 1
  run "$@" || status=$?
  stop_all
  if [ "$status" != 0 ]; then
    printf '\n服务日志 artifacts/logs/%s.log 的最后几行：\n' "$name" >&2
    tail -n 20 "artifacts/logs/$name.log" >&2
  fi
  return "$status"
}

# ---- 跑各阶段 ----
run_stages() {
  local i title folder command next started status table="" began=$SECONDS
  mkdir -p artifacts
  for i in "${!STAGES[@]}"; do
    IFS='|' read -r title folder command <<<"${STAGES[i]}"
    next=${STAGES[i + 1]:-8 网页（bash run.sh app）}
    printf '\n━━━━━━ 阶段 %s ━━━━━━\n' "$title"
    started=$SECONDS status=0
    touch artifacts/.stage-started
    $command || status=$?
    if [ "$status" != 0 ]; then
      printf '\n✗ 阶段「%s」没有成功（退出码 %s），原因见上面；后面的阶段没有运行。\n' "$title" "$status" >&2
      printf '  解决后再运行一次 bash run.sh，跑完的阶段不会重跑。\n' >&2
      exit "$status"
    fi
    echo
    show_written "artifacts/$folder"
    echo "用时：$((SECONDS - started)) 秒。接下来：${next%%|*}"
    table="$table$(printf '%6s 秒   %s' "$((SECONDS - started))" "$title")"$'\n'
  done
  printf '\n━━━━━━ 各阶段用时 ━━━━━━\n%s%6s 秒   合计\n' "$table" "$((SECONDS - began))"
}

show_written() {
  local files
  files=$(find "$1" -type f -newer artifacts/.stage-started 2>/dev/null | sort || true)
  if [ "$files" ]; then
    printf '写了：\n'
    sed -n '1,5s/^/  /p; 6s/.*/  …（其余见同一目录）/p' <<<"$files"
  elif [ -d "$1" ]; then
    echo "写了：没有新文件，上次的结果在 $1/"
  else
    echo "写了：没有文件，结果就在上面"
  fi
}

# ---- 打开网页 ----
serve_app() {
  local shown=$HOST
  [ "$HOST" != 0.0.0.0 ] || shown=127.0.0.1
  printf '\n━━━━━━ 阶段 8 网页 ━━━━━━\n'
  start_server app "http://$shown:$PORT/health" \
    python 7-endpoint-integration-server/medical_report_server.py --host "$HOST" --port "$PORT" || exit 1
  trap 'printf "\n已停止。\n"; exit 0' INT
  cat <<EOF

╭────────────────────────────────────────────────
│ 健康助手已打开：http://$shown:$PORT
│ 在浏览器里打开它，选一张化验单照片。
│ 按 Ctrl-C 结束。
╰────────────────────────────────────────────────
EOF
  wait "$SERVER" || true
  printf '\n✗ 服务自己停了。artifacts/logs/app.log 的最后几行：\n' >&2
  tail -n 20 artifacts/logs/app.log >&2
  exit 1
}

# 先看端口，免得跑完几分钟才发现被占
check_port() {
  find_python
  "$PYTHON" - "$HOST" "$PORT" 2>/dev/null <<'EOF' || die "端口 ${PORT} 不能用，多半被别的程序占着。" "换一个端口：PORT=8010 bash run.sh app"
import socket, sys

server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen()
EOF
}

# 设了代理的机器上，连本机的服务也不能走代理
export NO_PROXY="127.0.0.1,localhost,$HOST${NO_PROXY:+,$NO_PROXY}"
export no_proxy=$NO_PROXY

[ -z "$SERVE" ] || check_port
make_venv
[ -z "$RUN_STAGES" ] || run_stages
[ -z "$SERVE" ] || serve_app
