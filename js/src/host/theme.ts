/** Detection of the host's light or dark theme, and of its changes. */

export type Theme = "light" | "dark";

/** Return the theme that the page declares, in the way of each known host; else the system's preference. */
export function hostTheme(page: Document = document): Theme {
  const { body, documentElement: html } = page;
  // JupyterLab and Notebook 7
  const jupyter =
    body.dataset.jpThemeLight ??
    body.querySelector("[data-jp-theme-light]")?.getAttribute("data-jp-theme-light");
  if (jupyter !== undefined && jupyter !== null) return jupyter === "false" ? "dark" : "light";
  // Colab; marimo
  for (const named of [html.getAttribute("theme"), html.dataset.theme, body.dataset.theme]) {
    if (named === "dark" || named === "light") return named;
  }
  const classes = `${html.className} ${body.className}`;
  if (/\bvscode-(dark|high-contrast)\b(?!-light)/.test(classes) || /(^|\s)dark(\s|$)/.test(classes))
    return "dark";
  if (/\bvscode-(high-contrast-)?light\b/.test(classes)) return "light";
  return globalThis.matchMedia?.("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Call `onChange` now and at each change of the host's theme; returns the unsubscribe function. */
export function watchTheme(onChange: (theme: Theme) => void): () => void {
  const tell = () => onChange(hostTheme());
  const observer = new MutationObserver(tell);
  const attributeFilter = ["data-jp-theme-light", "data-jp-theme-name", "theme", "data-theme", "class"];
  observer.observe(document.body, { attributes: true, attributeFilter });
  observer.observe(document.documentElement, { attributes: true, attributeFilter });
  const queries = ["(prefers-color-scheme: dark)", "(forced-colors: active)", "(prefers-contrast: more)"].map(
    (query) => globalThis.matchMedia?.(query),
  );
  for (const query of queries) query?.addEventListener("change", tell);
  tell();
  return () => {
    observer.disconnect();
    for (const query of queries) query?.removeEventListener("change", tell);
  };
}
