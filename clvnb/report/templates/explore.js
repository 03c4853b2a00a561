// The explorer's own part: columns that come packed, filters and sorts over all of them, and pages of rows for DataTables.
const element = id => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark", dark.matches);
dark.addEventListener("change", paint);
paint();

const unpacked = id => {
  const bytes = Uint8Array.from(atob(element(id).textContent), c => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
};
const look = document.createElement("style");
look.textContent = await unpacked("look").text();
document.head.prepend(look);
const code = URL.createObjectURL(new Blob([await unpacked("code").blob()], { type: "text/javascript" }));
const { default: DataTable } = await import(code);
URL.revokeObjectURL(code);

const data = await unpacked("data").arrayBuffer();
const size = new DataView(data).getUint32(0, true);
const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, size)));
const { labels, locale, currency } = facts;

// ---- columns ----
const planes = (start, bytes, n) => {  // byte by byte of all rows, which packs tighter than row by row
  const raw = new Uint8Array(data, start, bytes * n), values = new Int32Array(n);
  for (let b = 0; b < bytes; b++) for (let i = 0; i < n; i++) values[i] |= raw[b * n + i] << (8 * b);
  return values;
};
let at = 4 + size;
for (const column of facts.columns) {
  if (column.kind === "id") {  // how much each has in common with the one before, and the rest
    const common = new Uint8Array(data, at, facts.rows);
    const rest = new TextDecoder().decode(new Uint8Array(data, at + facts.rows, column.size - facts.rows)).split("\n");
    column.values = [];
    rest.forEach((text, i) => column.values.push((column.values[i - 1] ?? "").slice(0, common[i]) + text));
  }
  else column.values = planes(at, column.size / facts.rows, facts.rows);
  at += column.size;
}
const numbers = (options, digits) => new Intl.NumberFormat(locale, { ...options, maximumFractionDigits: digits, minimumFractionDigits: digits });
const money = [numbers({ style: "currency", currency }, 2), numbers({ style: "currency", currency }, 0)];
const share = numbers({ style: "percent" }, 0), count = numbers({}, 0);
const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" });
const missing = -2147483648;
const plain = {  // as a csv holds it
  id: v => v, level: (v, c) => c.levels[v], count: v => v, money: v => v / 100, share: v => v / 100,
  date: v => new Date(v * 864e5).toISOString().slice(0, 10),
};
const said = {
  ...plain, count: v => count.format(v), money: v => money[v % 100 ? 0 : 1].format(v / 100), share: v => share.format(v / 100),
  date: v => day.format(new Date(v * 864e5)),
};
const cell = (how, column, i) => {
  const value = column.values[i];
  return value === missing ? "" : how[column.kind](column.amounts ? column.amounts[value] : value, column);
};

// ---- which rows, and in which order ----
const chosen = {};
const orders = new Map();
const orderOf = k => {
  if (!orders.has(k)) {
    const column = facts.columns[k], order = Uint32Array.from({ length: facts.rows }, (_, i) => i);
    if (column.kind !== "id") order.sort((a, b) => column.values[a] - column.values[b] || a - b);
    orders.set(k, order);
  }
  return orders.get(k);
};
const rows = (text, k, down) => {
  const ids = facts.columns[0].values, wanted = text.trim().toLowerCase();
  const asked = Object.entries(chosen).map(([name, level]) => [facts.columns.find(c => c.name === name).values, level]);
  const fits = i => (!wanted || ids[i].toLowerCase().includes(wanted)) && asked.every(([values, level]) => values[i] === level);
  const found = orderOf(k).filter(fits);
  return down ? found.reverse() : found;
};

// ---- the tables ----
const language = labels.table;
const button = (box, text, act) => {
  const made = document.createElement("button");
  made.textContent = text;
  made.addEventListener("click", act);
  box.replaceChildren(made);
};
let shown = [];
const customers = new DataTable("#customers", {
  serverSide: true, processing: false, pageLength: 25, autoWidth: false, language, order: [[facts.first, "desc"]],
  columns: facts.columns.map(c => ({ title: c.label, type: "string", className: c.kind === "id" || c.kind === "level" ? "dt-left" : "dt-right" })),
  columnDefs: [{ targets: "_all", render: DataTable.render.text() }],
  createdRow: (row, values) => button(row.cells[0], values[0], () => detail(values)),
  ajax: (asked, done) => {
    const by = asked.order[0] ?? { column: facts.first, dir: "desc" };
    shown = rows(asked.search.value, by.column, by.dir === "desc");
    const page = Array.from(shown.slice(asked.start, asked.start + asked.length), i => facts.columns.map(c => cell(said, c, i)));
    done({ draw: asked.draw, recordsTotal: facts.rows, recordsFiltered: shown.length, data: page });
  },
});
const detail = values => {
  const list = element("detail").querySelector("dl");
  list.replaceChildren(...facts.columns.flatMap((c, k) => [["dt", c.label], ["dd", values[k]]]).map(([tag, text]) => {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  }));
  element("detail").showModal();
};
for (const column of facts.columns.filter(c => c.kind === "level")) {
  const box = document.createElement("label"), list = document.createElement("select");
  list.id = `by-${column.name}`;
  list.append(new Option(labels.all, ""), ...column.levels.map((text, k) => new Option(text, k)));
  list.addEventListener("change", () => choose(column.name, list.value));
  box.append(`${column.label} `, list);
  element("filters").append(box);
}
const choose = (name, level) => {
  if (level === "") delete chosen[name]; else chosen[name] = Number(level);
  customers.ajax.reload();
};
const clear = () => {
  for (const list of document.querySelectorAll("#filters select")) list.value = "";
  for (const name of Object.keys(chosen)) delete chosen[name];
  customers.search("").ajax.reload();
};
element("clear").addEventListener("click", clear);
for (const table of facts.tables) {
  new DataTable(`#${table.name}`, {
    paging: table.rows.length > 25, pageLength: 25, searching: table.rows.length > 10, info: false, autoWidth: false, language, order: [],
    data: table.rows,
    columns: table.columns.map((c, k) => ({
      title: c.label, type: k ? "num" : "string", className: k ? "dt-right" : "dt-left",
      render: (value, kind) => kind !== "display" || value === null ? value : c.kind === "text" ? DataTable.render.text().display(value) : said[c.kind](value, c),
    })),
    createdRow: (row, values) => button(row.cells[0], values[0], () => {
      clear();
      const list = element(`by-${table.by}`), column = facts.columns.find(c => c.name === table.by);
      list.value = column.levels.indexOf(values[0]);
      choose(table.by, list.value);
      show("customers");
    }),
  });
}

// ---- what is seen, and what is taken along ----
const show = name => {
  for (const part of document.querySelectorAll("main > section")) part.hidden = part.id !== `part-${name}`;
  for (const tab of document.querySelectorAll("nav button")) tab.setAttribute("aria-current", tab.dataset.part === name ? "page" : "false");
};
for (const tab of document.querySelectorAll("nav button")) tab.addEventListener("click", () => show(tab.dataset.part));
const quoted = value => {
  const text = typeof value === "string" && /^[=+\-@\t\r\n＝＋－＠]/.test(value) ? `'${value}` : String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
element("download").addEventListener("click", () => {
  const lines = [facts.columns.map(c => quoted(c.label)), ...Array.from(shown, i => facts.columns.map(c => quoted(cell(plain, c, i))))];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff" + lines.map(l => l.join(",")).join("\r\n") + "\r\n"], { type: "text/csv" }));
  link.download = `${facts.file}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
show("customers");
document.body.dataset.ready = "yes";
