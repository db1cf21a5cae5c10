// Measures the framed page once it is laid out and leaves the findings in #found as JSON.
addEventListener("load", () => {
  const frame = document.querySelector("iframe"), page = frame.contentDocument, view = frame.contentWindow;
  const all = [...page.querySelectorAll("body *")];
  const rgba = (words) => {
    const parts = words.match(/[\d.]+/g).map(Number);
    const scale = words.startsWith("color(") ? 255 : 1;
    return [...parts.slice(0, 3).map((one) => one * scale), parts[3] ?? 1];
  };
  const over = (top, below) => top.slice(0, 3).map((one, n) => one * top[3] + below[n] * (1 - top[3]));
  const behind = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.push(rgba(view.getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const light = (color) => {
    const [r, g, b] = color.map((one) => (one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const spoken = all.filter((node) => [...node.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim()));
  const texts = spoken.filter((node) => node.getClientRects().length && !node.closest("style, title, desc, metadata"));
  const name = (node) => `${node.tagName.toLowerCase()}.${node.getAttribute("class") ?? ""}: ${node.textContent.trim().slice(0, 40)}`;
  const scrolls = (node) => node.closest(".scroll") !== null;
  document.querySelector("#found").textContent = JSON.stringify({
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    width: view.innerWidth,
    wider: all.filter((node) => !scrolls(node) && !node.closest("svg") && node.getBoundingClientRect().right > view.innerWidth + 1).map(name),
    tables: page.querySelectorAll("table").length,
    unnamed: [
      ...[...page.querySelectorAll("table")].filter((one) => !one.caption?.textContent.trim()),
      ...[...page.querySelectorAll("svg")].filter((one) => !one.getAttribute("aria-label") && !one.getAttribute("aria-labelledby") && !one.querySelector("title")),
      ...[...page.querySelectorAll("a")].filter((one) => !one.textContent.trim()),
    ].map(name),
    // A cell that is higher than wide and holds more than a letter or two has broken its words into letters.
    squeezed: [...page.querySelectorAll("th, td")].filter((one) => {
      const box = one.getBoundingClientRect(), longest = Math.max(...one.textContent.trim().split(/\s+/).map((word) => word.length));
      return longest > 3 && box.height > box.width;
    }).map(name),
    headings: [...page.querySelectorAll("h1, h2, h3, h4")].map((one) => Number(one.tagName[1])),
    texts: texts.length,
    contrast: texts.map((node) => {
      const style = view.getComputedStyle(node), color = node.closest("svg") ? style.fill : style.color;
      const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
      const ground = behind(node);
      return { what: name(node), ratio: contrast(over(rgba(color), ground), ground), large: size >= 24 || (bold && size >= 18.66) };
    }),
    columns: new Set([...page.querySelectorAll(".campaign")].map((one) => Math.round(one.getBoundingClientRect().left))).size,
  });
});
