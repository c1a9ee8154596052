// Draws all plots of a report, in the colours of the reader's scheme, light or dark; on paper always light.
(() => {
  const {documents, items} = JSON.parse(document.getElementById("plots").textContent);
  const narrow = window.innerWidth < 700;
  const touched = window.matchMedia("(pointer: coarse)").matches;
  const INKED = ["axis_label_text_color", "major_label_text_color", "group_text_color", "subgroup_text_color",
    "label_text_color", "title_text_color"];
  const LINED = ["axis_line_color", "major_tick_line_color"];

  // What a document says that does not fit a narrow screen or a finger.
  function adapt(value) {
    if (value === null || typeof value !== "object") return;
    if (narrow && value.name === "GridPlot") {
      value.attributes.children = value.attributes.children.map(([plot], row) => [plot, row, 0]);
    }
    if (narrow && value.name === "Title" && value.attributes?.text) {
      value.attributes.text = value.attributes.text.replace(/(.{1,22})(\s+|$)/g, "$1\n").trimEnd();
    }
    if (touched && value.name === "Toolbar") value.attributes.active_drag = null; // it scrolls the page
    Object.values(value).forEach(adapt);
  }

  function paint(paper) {
    const style = getComputedStyle(document.documentElement);
    const ink = paper ? "#4a5361" : style.getPropertyValue("--soft").trim();
    const line = paper ? "#9aa4b2" : style.getPropertyValue("--line").trim();
    for (const drawn of Bokeh.documents) drawn.all_models.forEach((model) => colour(model, ink, line));
  }

  function colour(model, ink, line) {
    if (model.type === "Title") model.text_color = ink;
    if (!/(Axis|Legend|ColorBar)$/.test(model.type)) return;
    const known = (names, value) => names.filter((name) => name in model.properties).map((name) => [name, value]);
    model.setv(Object.fromEntries([...known(INKED, ink), ...known(LINED, line)]));
  }

  Object.values(documents).forEach(adapt);
  Bokeh.embed.embed_items(documents, items).then(() => paint(false));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint(false));
  window.addEventListener("beforeprint", () => paint(true));
  window.addEventListener("afterprint", () => paint(false));
})();
