// The lines around a frame, where the page has them, and a link that opens an editor there.
const EDITOR_DEFAULT = "vscode://file/{file}:{line}";

// The reader's own choice is kept by the browser, when it lets pages of files keep anything.
function editorTemplate() {
  try {
    return localStorage.getItem("valtrace-editor") || EDITOR_DEFAULT;
  } catch {
    return EDITOR_DEFAULT;
  }
}
function keepEditor(template) {
  try {
    localStorage.setItem("valtrace-editor", template);
  } catch {
    announce("This browser keeps nothing for pages of files");
  }
}

// A link for a place, or null: relative names open nowhere, and a template must name a program's own scheme.
function editorLink({ file, line }) {
  const template = editorTemplate();
  if (!file.startsWith("/") || !/^[a-z][a-z0-9+.-]*:\/\//i.test(template) || /^(https?|javascript|data):/i.test(template)) return null;
  const path = file.split("/").map(encodeURIComponent).join("/");
  return template.replaceAll("{file}", path).replaceAll("{line}", String(line || 1));
}

function editorChoice() {
  const input = el("input", { type: "text", value: editorTemplate(), id: "editor", spellcheck: "false",
    onchange: (event) => { keepEditor(event.target.value); render(); } });
  return el("details", { class: "instead" }, el("summary", {}, "Another editor"),
    el("label", { class: "choice" }, el("span", {}, "Link, with {file} and {line}"), input));
}

function sourceLines(frame) {
  const lines = data.sources[frame.file]?.lines || {}, out = [];
  for (let n = frame.line - 5; n <= frame.line + 5; n++)
    if (String(n) in lines) out.push(el("li", { value: n, class: n === frame.line ? "here" : null, "aria-current": n === frame.line ? "true" : null },
      el("code", {}, clean(lines[n].replace(/\t/g, "    ")) || " ")));
  return out;
}

function sourcePanel(frame) {
  if (!frame.file || !frame.line) return el("span");
  const lines = sourceLines(frame), link = editorLink(frame), source = data.sources[frame.file];
  const open = link ? el("a", { href: link, class: "editor-link" }, "Open in editor") : null;
  return el("section", { class: "source", "aria-label": "Source lines" },
    lines.length ? el("ol", { tabindex: "0", "aria-label": `Lines around ${shortPlaceOf(frame)}` }, lines) :
      el("p", { class: "faint" }, "The page has no source lines of this place."),
    lines.length && source.changed ? el("p", { class: "faint" }, "The file was changed after the recording: lines may have moved.") : null,
    el("div", { class: "row" }, open, link ? editorChoice() : null));
}
