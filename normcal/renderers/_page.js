// Lets a person sort and filter the tables of a page; without it they are plain tables.
"use strict";

const FEW_ROWS = 6;
const MOST_CHOICES = 40;
const LONGEST_CHOICE = 40;

/** Return what a cell is sorted by: its text, or in a column of numbers its number; null where there is none. */
function sortKey(text, isNumber) {
  const written = text.trim();
  if (!isNumber) return written || null;
  const value = parseFloat(written.replace(/^~/, ""));
  return Number.isNaN(value) ? null : value;
}

/** Compare two keys; sign is 1 or -1, and what is absent comes last either way. */
function compareKeys(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
}

/** Whether a text holds every word of what was typed, in whatever case. */
function holds(text, typed) {
  const lower = text.toLowerCase();
  return typed.toLowerCase().split(/\s+/).every((word) => lower.includes(word));
}

function make(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

function enliven(table) {
  const heads = [...table.tHead.rows[0].cells];
  const home = new Map();
  for (const body of table.tBodies) {
    for (const row of body.rows) if (!row.classList.contains("group")) home.set(row, body);
  }
  const rows = [...home.keys()];
  if (rows.length > 1) heads.forEach((head, column) => sortable(table, heads, head, column, rows, home));
  if (rows.length >= FEW_ROWS) filterable(table, heads, rows, home);
  tellErrors(heads, rows);
}

function sortable(table, heads, head, column, rows, home) {
  if (head.classList.contains("curve")) return;
  const button = make("button", { type: "button" });
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const next = { ascending: "descending", descending: "" }[head.getAttribute("aria-sort")] ?? "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    if (next) head.setAttribute("aria-sort", next);
    const sign = next === "descending" ? -1 : 1;
    const keys = new Map(rows.map((row) => [row, sortKey(row.cells[column].textContent, head.classList.contains("n"))]));
    const order = next ? [...rows].sort((a, b) => compareKeys(keys.get(a), keys.get(b), sign)) : rows;
    for (const row of order) (next ? table.tBodies[0] : home.get(row)).append(row);
    hideEmptyGroups(table);
  });
}

/** Hide the heading of a group that shows no row, and of every group while the rows are sorted across them. */
function hideEmptyGroups(table) {
  const sorted = table.tHead.querySelector("[aria-sort]") !== null;
  for (const heading of table.querySelectorAll("tr.group")) {
    heading.hidden = sorted || ![...heading.parentNode.rows].some((row) => row !== heading && !row.hidden);
  }
}

function filterable(table, heads, rows, home) {
  const tools = make("div", { className: "tools" });
  const typed = make("input", { type: "search", placeholder: "Filter rows" });
  typed.setAttribute("aria-label", "Filter rows by words");
  const count = make("output", {});
  const group = (row) => row.dataset.group ?? home.get(row).querySelector("tr.group")?.textContent ?? "";
  const words = new Map(rows.map((row) => [row, [group(row), ...[...row.cells].map((cell) => cell.textContent)].join(" ")]));
  const choices = [choice("group", rows, group)];
  heads.forEach((head, column) => {
    if (head.className === "") choices.push(choice(head.textContent, rows, (row) => row.cells[column].textContent));
  });
  const update = () => {
    for (const row of rows) row.hidden = !holds(words.get(row), typed.value) || choices.some((one) => one && !one.allows(row));
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
    hideEmptyGroups(table);
  };
  tools.append(typed, ...choices.flatMap((one) => (one ? [one.select] : [])), count);
  tools.addEventListener("input", update);
  const frame = table.closest(".scroll") ?? table;
  frame.before(tools);
  update();
}

/** Offer the texts of a column, where they are few, short and come again. */
function choice(name, rows, text) {
  const texts = [...new Set(rows.map(text))].filter((one) => one);
  const many = texts.length > Math.min(MOST_CHOICES, rows.length / 2);
  if (texts.length < 2 || many || texts.some((one) => one.length > LONGEST_CHOICE)) return null;
  const select = make("select", {});
  select.setAttribute("aria-label", name);
  select.append(new Option(`${name}: all`, ""), ...texts.map((one) => new Option(one, one)));
  return { select, allows: (row) => !select.value || text(row) === select.value };
}

/** Let every number of a row tell the row's error on hover. */
function tellErrors(heads, rows) {
  const column = heads.findIndex((head) => head.classList.contains("error"));
  if (column < 0) return;
  for (const row of rows) {
    for (const cell of row.cells) {
      if (cell.classList.contains("n") && !cell.title && cell.textContent) {
        cell.title = `${heads[column].textContent}: ${row.cells[column].textContent}`;
      }
    }
  }
}

document.querySelectorAll("table").forEach(enliven);
