// 一项、一种单位的小图：横着是日子，竖着是数；每一点后面的一段是那一份单子自己的范围。图上有的，旁边的表里都有。

const WIDTH = 320, HEIGHT = 150;
const LEFT = 30, RIGHT = 30, TOP = 26, BOTTOM = 30; // 四边留给数和日子
const BAND = 18, DOT = 5;
const LABELLED = 6; // 点再多，数就叠在一起，只写头尾

/** points 是早的在前的 {item, date}；label 是给读屏的话。 */
export function trendChart(points, label) {
  const svg = draw("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  const values = points.map(({ item }) => Number(item.tracked.value));
  const days = points.map(({ date }) => Date.parse(date.length === 10 ? `${date}T00:00` : date));
  const ends = points.flatMap(({ item }) => [item.tracked.low, item.tracked.high]).filter((end) => end !== null).map(Number);
  const x = scale(days, LEFT, WIDTH - RIGHT);
  const y = scale([...values, ...ends], HEIGHT - BOTTOM, TOP);

  for (const [at, { item: { tracked: { low, high } } }] of points.entries()) {
    if (low === null && high === null) continue;
    // 没有界的一边画到头
    const top = high === null ? TOP - 8 : y(Number(high));
    const bottom = low === null ? HEIGHT - BOTTOM + 8 : y(Number(low));
    svg.append(draw("rect", { class: "chart-band", x: x(days[at]) - BAND / 2, y: top, width: BAND, height: Math.max(1, bottom - top), rx: 3 }));
  }
  svg.append(draw("polyline", { class: "chart-line", points: values.map((value, at) => `${x(days[at])},${y(value)}`).join(" ") }));
  for (const [at, { item }] of points.entries()) {
    const [cx, cy] = [x(days[at]), y(values[at])];
    // 异常的是方的，颜色之外也分得出
    const dot = item.flag === "normal"
      ? draw("circle", { cx, cy, r: DOT })
      : draw("rect", { x: cx - DOT, y: cy - DOT, width: 2 * DOT, height: 2 * DOT });
    dot.setAttribute("class", "chart-dot");
    dot.dataset.flag = item.flag;
    svg.append(dot);
    if (points.length <= LABELLED || at === 0 || at === points.length - 1) svg.append(text(cx, cy - 10, item.tracked.value, "chart-value"));
  }
  svg.append(text(0, HEIGHT - 6, points[0].date.slice(0, 10), "chart-day first"));
  svg.append(text(WIDTH, HEIGHT - 6, points.at(-1).date.slice(0, 10), "chart-day last"));
  return svg;
}

/** 数 -> 位置；全都一样的放在正中。 */
function scale(numbers, from, to) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return (number) => (high > low ? from + ((number - low) / (high - low)) * (to - from) : (from + to) / 2);
}

function text(x, y, words, className) {
  const node = draw("text", { x, y, class: className });
  node.textContent = words;
  return node;
}

function draw(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
