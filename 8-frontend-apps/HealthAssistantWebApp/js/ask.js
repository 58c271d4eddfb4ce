// 建议下面的“问一句”：接了建议模型才有。问的与答的只在眼前，哪里也不存。
import { askQuestion, canAsk, rowsToSend } from "./api.js";
import { element, make, onSubmit, safeNodes } from "./dom.js";
import { t } from "./language.js";

const [box, form, answer] = ["ask", "ask-form", "ask-answer"].map(element);
let about = null; // 问的是哪一份

/** 显示着的一份换了：从前问的、答的不留。report 为 null 是没有显示完的。 */
export function offerAsking(report) {
  about = report;
  box.hidden = true;
  form.reset();
  answer.replaceChildren();
  if (report) canAsk().then((can) => { box.hidden = about !== report || !can; });
}

onSubmit(form, async () => {
  if (answer.querySelector(".waiting")) return;
  const mine = about;
  answer.replaceChildren(make("p", "muted waiting", t("正在问…")));
  const words = await askQuestion(rowsToSend(mine), form.elements.question.value).then(
    ({ answer_html: html, disclaimer }) => [...safeNodes(html), make("p", "muted small-print", t`AI 生成，仅供参考。${disclaimer}`)],
    (error) => [make("p", "problem", navigator.onLine ? error.message : t("现在没有网络，连上以后再问。"))],
  );
  if (mine === about) answer.replaceChildren(...words);
});
