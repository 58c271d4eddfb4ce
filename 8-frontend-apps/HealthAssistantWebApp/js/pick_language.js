// 说中文还是英文，在画第一笔之前定：按过开关的照开关，没有按过的看浏览器先要哪一种；都不要的说英文。不是模块，好让它先跑。
{
  let saved = null;
  try {
    saved = localStorage.getItem("language");
  } catch {
    // 浏览器不许网页存东西
  }
  const wanted = saved ? [saved] : navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  if (wanted.find((tag) => ["zh", "en"].includes(tag)) !== "zh") document.documentElement.lang = "en";
}
