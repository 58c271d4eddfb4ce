// 范围条：参考范围是中间一段，圆点是这次的结果。只是图示，旁边的文字说同样的事，所以读屏软件跳过它。

import { make } from "./dom.js";

const EDGE = 0.02;

export function rangeBar(scale) {
  const layout = scale && layOut(scale);
  if (!layout) return null;
  const bar = make("div", "bar");
  bar.setAttribute("aria-hidden", "true");
  add(bar, "zone", layout.from).style.width = percent(layout.to - layout.from);
  if (scale.low !== null) add(bar, "limit", layout.from).textContent = scale.low;
  if (scale.high !== null) add(bar, "limit", layout.to).textContent = scale.high;
  add(bar, "dot", Math.min(1 - EDGE, Math.max(EDGE, layout.at)));
  return bar;
}

// 范围从哪里到哪里、圆点在哪里，都是 0 到 1；超出两端的点由调用者收回到边上
function layOut({ value, low, high }) {
  if (low !== null && high !== null) {
    return high > low ? { from: 0.3, to: 0.7, at: 0.3 + (0.4 * (value - low)) / (high - low) } : null;
  }
  if (high !== null) return high > 0 ? { from: 0, to: 0.7, at: (0.7 * value) / high } : null;
  if (low === null || low <= 0) return null;
  return { from: 0.3, to: 1, at: value < low ? (0.3 * value) / low : 1 - (0.7 * low) / value };
}

function add(bar, className, left) {
  const part = make("span", className);
  part.style.left = percent(left);
  bar.append(part);
  return part;
}

const percent = (fraction) => `${fraction * 100}%`;
