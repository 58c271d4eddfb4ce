// 什么时候、在哪里、什么标本：结果的标题下面一行。读错了、没有读到的，人可以照着原件填。

import { element, make, makeButton } from "./dom.js";
import { language, t } from "./language.js";

const FIELDS = [["collected", t("采样时间"), "datetime-local"], ["performer", t("医院"), "text"], ["specimen", t("标本"), "text"]];
const place = element("origin");

/** 2026-11-26T08:30 -> 2026 年 11 月 26 日 08:30；没有印几点的只有日期。 */
export function dateWords(iso) {
  const [year, month, day] = iso.slice(0, 10).split("-").map(Number);
  if (language === "en") {
    const written = new Date(iso.slice(0, 10)).toLocaleDateString("en-GB", { dateStyle: "long", timeZone: "UTC" });
    return `${written} ${iso.slice(11)}`.trim();
  }
  return t`${year} 年 ${month} 月 ${day} 日 ${iso.slice(11)}`.trim();
}

/** 化验的日期：采样的，没有就用报告的；都没有读到为空串。 */
export const dateOf = ({ origin = {} }) => (origin.collected ?? origin.reported)?.value ?? "";

/** 显示一行；change(origin) 是人改过以后的。 */
export function showOrigin({ origin = {} }, change) {
  const { collected, reported, performer, specimen } = origin;
  const words = [
    collected ? t`采样 ${dateWords(collected.value)}` : reported && t`报告 ${dateWords(reported.value)}`,
    performer?.value, specimen?.value,
  ].filter(Boolean).join(" · ");
  const edit = makeButton("link", words ? t("改") : t("填上采样时间、医院"), () => {
    place.replaceChildren(makeForm(origin, change, () => showOrigin({ origin }, change)));
    place.querySelector("input").focus();
  });
  if (words) edit.setAttribute("aria-label", t("改采样时间、医院、标本"));
  place.replaceChildren(words, " ", edit);
}

function makeForm(origin, change, close) {
  const form = make("form", "correct", make("p", "", t("照着原件填；没有印的空着。")), ...FIELDS.map(([name, label, type]) => {
    const input = make("input");
    const value = origin[name]?.value ?? "";
    Object.assign(input, { name, type, maxLength: 200, autocomplete: "off", max: "2100-01-01T00:00" });
    input.value = type === "text" || value.length !== 10 ? value : `${value}T00:00`;
    return make("label", "", label, input);
  }));
  form.append(make("div", "actions", make("button", "button primary", t("填好了")), makeButton("button", t("不改了"), close)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const changed = { ...origin };
    for (const [name, value] of new FormData(form)) {
      const old = origin[name]?.value ?? "";
      if (!value.trim()) delete changed[name];
      else if (value !== old && value !== `${old}T00:00`) {
        // 原来没有印几点的，改了日子也没有
        changed[name] = { value: old.length === 10 ? value.trim().replace(/T00:00$/, "") : value.trim(), page: 1 };
      }
    }
    change(changed);
  });
  return form;
}
