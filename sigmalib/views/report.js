// Draws all plots of a report, in the colours of the reader's scheme, light or dark; on paper always light.
(() => {
  const {documents, items} = JSON.parse(document.getElementById("plots").textContent);
  const narrow = window.innerWidth < 700;
  const touched = window.matchMedia("(pointer: coarse)").matches;

  function adapt(value) {
    if (value === null || typeof value !== "object") return;
    if (value.name === "GridPlot" && narrow) {
      value.attributes.children = value.attributes.children.map(([plot], row) => [plot, row, 0]);
    }
    if (value.name === "Toolbar" && touched) value.attributes.active_drag = null; // a finger scrolls the page
    Object.values(value).forEach(adapt);
  }

  function paint(paper) {
    const style = getComputedStyle(document.documentElement);
    const ink = paper ? "#4a5361" : style.getPropertyValue("--soft").trim();
    const line = paper ? "#9aa4b2" : style.getPropertyValue("--line").trim();
    for (const drawn of Bokeh.documents) drawn.all_models.forEach((model) => colour(model, ink, line));
  }

  function colour(model, ink, line) {
    if (model.type.endsWith("Axis")) {
      model.setv({axis_label_text_color: ink, major_label_text_color: ink, axis_line_color: line, major_tick_line_color: line});
    }
    if (model.type === "Title") model.text_color = ink;
    if (model.type === "Legend") model.setv({label_text_color: ink, title_text_color: ink});
    if (model.type === "ColorBar") model.setv({major_label_text_color: ink, title_text_color: ink});
  }

  Object.values(documents).forEach(adapt);
  Bokeh.embed.embed_items(documents, items).then(() => paint(false));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint(false));
  window.addEventListener("beforeprint", () => paint(true));
  window.addEventListener("afterprint", () => paint(false));
})();
