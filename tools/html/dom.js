// Building the page. Text goes in as text only.
const byId = (id) => document.getElementById(id);

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  setAttributes(node, attributes);
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  setAttributes(node, attributes);
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined));
  return node;
}

function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, value);
  }
}

const button = (label, onclick, attributes) =>
  el("button", { type: "button", onclick, ...attributes }, label);

// A name of the traced program, kept apart from the direction of the text around it.
const nameNode = (text, attributes) => el("bdi", { class: "name mono", ...attributes }, text);

function announce(text) {
  byId("announce").textContent = text;
}

function copyText(text, done) {
  const fallback = () => {
    const area = el("textarea", { class: "hidden", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    done();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, fallback);
  else fallback();
}

function download(name, text) {
  const link = el("a", { download: name });
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// ---- tooltip ----

// Lines of [label, value] or plain text beside the pointer.
function showTooltip(x, y, title, lines) {
  const tip = byId("tooltip");
  tip.replaceChildren(nameNode(title), ...lines.map(tooltipLine));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 16 + box.width > innerWidth ? x - 16 - box.width : x + 16;
  const top = y + 16 + box.height > innerHeight ? y - 16 - box.height : y + 16;
  tip.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
}
function tooltipLine(line) {
  if (typeof line === "string") return el("div", { class: "faint" }, line);
  return el("div", { class: "pair" }, el("span", {}, line[0]), el("b", {}, line[1]));
}
function hideTooltip() {
  byId("tooltip").hidden = true;
}

// ---- tables ----

const csvCell = (value) => `"${String(value).replace(/"/g, '""')}"`;

// A spreadsheet runs a cell that begins with one of these as a formula: such names get a quote.
const csvText = (value) => csvCell(/^[=+\-@\t\r]/.test(value) ? `'${value}` : value);

function csvOf(columns, rows) {
  const lines = [columns.map((c) => csvCell(c.label)).join(",")];
  for (const row of rows)
    lines.push(columns.map((c) => (c.number ? c.value(row) : csvText(c.value(row)))).join(","));
  return lines.join("\r\n") + "\r\n";
}

const ROWS_AT_ONCE = 100;

// A sortable table. columns: { id, label, value(row), cell(row), number, title }; sort: { id, asc };
// onsort(id, asc). Rows beyond a hundred are shown on demand.
function makeTable({ caption, columns, rows, sort, onsort, rowAttributes }) {
  const sorted = sortRows(columns, rows, sort);
  const body = el("tbody");
  const more = button("", () => addRows(), { class: "more" });
  let shown = 0;
  const addRows = () => {
    for (const row of sorted.slice(shown, shown + ROWS_AT_ONCE))
      body.append(tableRow(columns, row, rowAttributes));
    shown = Math.min(sorted.length, shown + ROWS_AT_ONCE);
    more.textContent = `Show more (${count(sorted.length - shown)} rows left)`;
    more.hidden = shown >= sorted.length;
  };
  addRows();
  const head = el("tr", {}, columns.map((column) => headCell(column, sort, onsort)));
  const table = el("table", { class: columns.length > 7 && !columns[0].number ? "many-columns" : null }, el("caption", {}, caption), el("thead", {}, head), body);
  return el("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption },
    table, more);
}

function sortRows(columns, rows, sort) {
  const column = sort && columns.find((c) => c.id === sort.id);
  if (!column) return rows;
  const sign = sort.asc ? 1 : -1;
  const compare = column.number ? (a, b) => a - b : (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const key = column.sortValue || column.value;
  return rows.slice().sort((a, b) => sign * compare(key(a), key(b)));
}

function headCell(column, sort, onsort) {
  const active = sort && sort.id === column.id;
  const attributes = { scope: "col", class: column.number ? "number" : null,
    title: column.title || null };
  if (!onsort) return el("th", attributes, column.label);
  if (active) attributes["aria-sort"] = sort.asc ? "ascending" : "descending";
  const arrow = el("span", { "aria-hidden": "true", class: "arrow" },
    active ? (sort.asc ? "▲" : "▼") : "");
  const flip = () => onsort(column.id, active ? !sort.asc : !column.number);
  return el("th", attributes, button([column.label, arrow], flip, { "data-sort": column.id }));
}

function tableRow(columns, row, rowAttributes) {
  return el("tr", rowAttributes ? rowAttributes(row) : {}, columns.map((column) =>
    el("td", { class: column.number ? "number" : null },
      column.cell ? column.cell(row) : String(column.value(row)))));
}

// A number with a bar behind it that shows its share.
function barCell(text, share, tone) {
  const bar = el("span", { class: `bar ${tone || ""}`, "aria-hidden": "true" });
  bar.style.width = `${Math.max(0, Math.min(100, 100 * share || 0)).toFixed(2)}%`;
  return el("span", { class: "barred" }, bar, el("span", {}, text));
}
