// 与阶段 7 的服务通信：上传照片，逐个交出服务器发来的事件。

const BROKEN_OFF = "连接中途断了，没有收全。";

export class AnalysisError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** 依次产出 {type, data}：accepted、report、advice（若干次）、done。出错抛 AnalysisError，取消抛 AbortError。 */
export async function* analyze(photo, filename, signal) {
  const form = new FormData();
  form.append("image", photo, filename);
  const request = { method: "POST", body: form, signal, headers: { Accept: "text/event-stream" } };
  const response = await fetch("analyze_medical_report", request)
    .catch((error) => { throw unlessAborted(error, "network", "连不上服务器。"); });
  if (!response.ok) throw await refusal(response);

  let finished = false;
  for await (const event of readEvents(response.body.getReader())) {
    if (event.type === "error") throw new AnalysisError(event.data.code, event.data.error);
    finished ||= event.type === "done";
    yield event;
  }
  if (!finished) throw new AnalysisError("stream_ended", BROKEN_OFF);
}

// EventSource 只能发 GET，所以自己拆事件：空行分隔，每行是“字段: 值”
async function* readEvents(reader) {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read()
      .catch((error) => { throw unlessAborted(error, "stream_ended", BROKEN_OFF); });
    if (done) return;
    text = (text + decoder.decode(value, { stream: true })).replaceAll("\r\n", "\n");
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = (name) => block.split("\n").filter((line) => line.startsWith(`${name}:`))
        .map((line) => line.slice(name.length + 1).replace(/^ /, ""));
      const data = fields("data").join("\n");
      if (data) yield { type: fields("event")[0], data: JSON.parse(data) };
    }
  }
}

function unlessAborted(error, code, message) {
  return error.name === "AbortError" ? error : new AnalysisError(code, message);
}

async function refusal(response) {
  try {
    const { code, error } = await response.json();
    return new AnalysisError(code, error);
  } catch {
    return new AnalysisError("http", `服务器没有正常回答（状态码 ${response.status}）。`);
  }
}
