// 状态页：隔几秒取一次数据；试一张照片。文字一律用 textContent，模型的回答里有什么都只是字。
// 地址都是相对的：反向代理可以把整个服务放在一个路径下面。
const EVERY_MS = 5000;
const STEPS = { total: "从头到尾", vision: "视觉模型读", read: "内置读者读", verify: "内置读者核对", advice: "建议" };
const STATES = { built_in: "内置", unused: "还没问过", closed: "通", failing: "上次没答好", "half-open": "在试", open: "歇着" };
const BUILT_IN = { vision: "embedded-report-reader", advice: "embedded-health-advisor" };
const $ = (id) => document.getElementById(id);

function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function card(tag, parts) {
  const element = make(tag);
  element.append(...parts);
  return element;
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("zh-CN", { hour12: false });
const duration = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} 毫秒` : `${seconds.toFixed(1)} 秒`);
const sum = (counts) => Object.values(counts).reduce((total, one) => total + one, 0);

function fillTable(id, rows, nothing) {
  const filled = rows.map((cells) => card("tr", cells.map((cell) => cell instanceof Node ? cell : make("td", cell))));
  $(id).replaceChildren(...(filled.length ? filled : [card("tr", [make("td", nothing, { class: "muted", colspan: 5 })])]));
}

function stateOf(upstream) {
  if (!upstream) return "built_in";
  if (upstream.state !== "closed") return upstream.state;
  if (upstream.last_error) return "failing";
  return upstream.last_success ? "closed" : "unused";
}

function showFlow(upstreams) {
  const cards = Object.entries({ vision: "读：视觉", advice: "说：建议" }).map(([name, title]) => {
    const upstream = upstreams[name];
    const state = stateOf(upstream);
    const seen = upstream?.last_success ? `上次答好 ${clock(upstream.last_success)}` : "还没有答好过";
    const leftOut = Object.entries(upstream?.left_out ?? {}).map(([field, used]) => (used ? `${field}（改用 ${used}）` : field)).join("、");
    const detail = !upstream ? "没有接外部模型，用内置引擎"
      : [upstream.last_error, seen, leftOut && `它不接受 ${leftOut}，问的时候不带`].filter(Boolean).join("；");
    const pill = make("span", STATES[state], { class: "pill", "data-state": state });
    return card("li", [pill, make("span", title, { class: "muted" }), make("strong", upstream?.model ?? BUILT_IN[name]), make("span", detail, { class: "muted" })]);
  });
  const rule = card("li", [make("span", "代码", { class: "pill" }), make("span", "判断：高低与危急", { class: "muted" }), make("strong", "对照参考范围的规则"), make("span", "不用模型，上游断了也照常", { class: "muted" })]);
  cards.splice(1, 0, rule);
  $("flow").replaceChildren(...cards);
}

function showNumbers(data) {
  const done = sum(Object.fromEntries(Object.entries(data.requests).filter(([name]) => /^\/(analyze|advice)/.test(name))));
  const numbers = {
    "正在处理": data.in_progress, "照片与报告": done, "没有办成": sum(data.errors), "上游没答好": sum(data.upstream_failures),
    "改用内置": sum(data.degraded), "换掉的建议": data.guarded,
  };
  $("numbers").replaceChildren(...Object.entries(numbers).map(([name, value]) => card("div", [make("dt", name), make("dd", value)])));
}

function bar(from, to) {
  const at = (seconds) => Math.min(100, Math.max(0, Math.log(seconds / 0.01) / Math.log(12000) * 100));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  for (const [name, x, width] of [["track", 0, 100], ["span", at(from), Math.max(1.5, at(to) - at(from))]]) {
    const rect = document.createElementNS(svg.namespaceURI, "rect");
    Object.entries({ class: name, x: `${x}%`, width: `${width}%`, height: 12, rx: 6 }).forEach((pair) => rect.setAttribute(...pair));
    svg.append(rect);
  }
  const cell = make("td", "", { class: "wide" });
  cell.append(svg);
  return cell;
}

async function refresh() {
  try {
    const data = await (await fetch("status/data")).json();
    showFlow(data.upstreams);
    showNumbers(data);
    const steps = Object.keys(STEPS).filter((name) => data.steps[name]);
    fillTable("steps", steps.map((name) => {
      const { count, mean, p95 } = data.steps[name];
      return [STEPS[name], count, duration(mean), duration(p95), bar(mean, p95)];
    }), "还没有照片");
    const requests = Object.entries(data.requests).sort((a, b) => b[1] - a[1]).slice(0, 10);
    fillTable("requests", requests.map(([name, count]) => [...name.split(" "), count]), "还没有请求");
    fillTable("errors", data.recent_errors.slice(0, 10).map((one) => [clock(one.time), one.code, one.request_id]), "没有");
    $("freshness").textContent = `${clock(Date.now() / 1000)} 的情况，每 ${EVERY_MS / 1000} 秒更新`;
    delete $("freshness").dataset.lost;
  } catch {
    $("freshness").textContent = "取不到数据：服务停了，或网络断了";
    $("freshness").dataset.lost = "";
  }
}

function readable(response) {
  try {
    return JSON.stringify(JSON.parse(response), null, 1);
  } catch {
    return response || "没有回答";
  }
}

function showOutcome(answer) {
  if (answer.error) return $("outcome").replaceChildren(make("p", `${answer.error}（${answer.code}，请求号 ${answer.request_id}）`, { class: "failed" }));
  const { vision, verified_by: verifier, advice } = answer.engines;
  const seconds = duration(answer.timings_ms.total / 1000);
  const summary = `读到 ${answer.report.items.length} 行，用时 ${seconds}。读：${vision}${verifier ? `；核对：${verifier}` : ""}；建议：${advice}`;
  const parts = [make("p", summary), ...answer.notices.map((notice) => make("p", notice, { class: "notice" }))];
  answer.exchanges.forEach(({ upstream, model, ms, error, request, response }) => {
    const title = `${upstream === "vision" ? "视觉模型" : "建议模型"} ${model}：${duration(ms / 1000)}${error ? `，${error}` : ""}`;
    parts.push(card("details", [make("summary", title), make("h3", "问的"), make("pre", JSON.stringify(request, null, 2)), make("h3", "答的"), make("pre", readable(response))]));
  });
  if (!answer.exchanges.length) parts.push(make("p", "没有接外部模型，没有往来。", { class: "muted" }));
  parts.push(card("details", [make("summary", "读到并判断过的各行"), make("pre", JSON.stringify(answer.report.items, null, 2))]));
  return $("outcome").replaceChildren(...parts);
}

$("try").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  $("outcome").replaceChildren(make("p", "在读图 …", { class: "muted" }));
  const form = new FormData();
  form.set("image", $("photo").files[0]);
  try {
    showOutcome(await (await fetch("analyze_medical_report?trace=1", { method: "POST", body: form })).json());
  } catch {
    showOutcome({ error: "没有发出去，服务停了或网络断了", code: "network", request_id: "无" });
  }
  button.disabled = false;
  refresh();
});

refresh();
setInterval(refresh, EVERY_MS);
