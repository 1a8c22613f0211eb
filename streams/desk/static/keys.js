// The keyboard: j and k along the items, Enter opens, single letters for forms, g and a letter for pages. Also local times.
(() => {
  let chosen = null; // data-item of the item under the hand; it survives parts that are replaced
  let gone = 0; // when g was pressed

  const items = () => [...document.querySelectorAll("tr[data-item]")];
  const typing = (target) => target.closest("input, select, textarea, [contenteditable]") !== null;

  function show(row) {
    for (const other of items()) other.classList.toggle("chosen", other === row);
    if (!row) return;
    chosen = row.dataset.item;
    row.scrollIntoView({ block: "nearest" });
    const link = row.querySelector("a.open");
    if (link) link.focus({ preventScroll: true });
  }

  function move(by) {
    const rows = items();
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.dataset.item === chosen);
    show(rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))]);
  }

  function form(key) {
    const row = items().find((each) => each.dataset.item === chosen);
    const found = (row && row.querySelector(`form[data-form="${key}"]`)) || document.querySelector(`form[data-form="${key}"]`);
    if (!found) return false;
    const field = found.querySelector("[data-focus]");
    if (field) field.focus();
    else found.requestSubmit();
    return true;
  }

  function assign() {
    if (form("a")) return;
    const row = items().find((each) => each.dataset.item === chosen);
    const link = row && row.querySelector("a.open");
    if (link) location.assign(`${link.href}#do`);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.timeStamp - gone < 1500) {
      gone = 0;
      const page = document.querySelector(`[data-key="g ${event.key}"]`);
      if (page) { event.preventDefault(); location.assign(page.href); return; }
    }
    const does = {
      j: () => move(1),
      k: () => move(-1),
      g: () => { gone = event.timeStamp; },
      a: assign,
      r: () => form("r"),
      x: () => form("x"),
      s: () => form("s"),
      u: () => history.back(),
      "/": () => document.querySelector('[data-focus="/"]')?.focus(),
      "?": () => document.getElementById("keys").showModal(),
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr[data-item]");
    if (row && row.dataset.item !== chosen) show(row);
  });

  function local(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
      const at = new Date(time.getAttribute("datetime"));
      if (!Number.isNaN(at.getTime())) time.title = `${at.toLocaleString()} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
    }
  }

  let typed = null; // what somebody was writing in when its part was replaced
  document.addEventListener("htmx:beforeSwap", (event) => {
    typed = event.detail.target.contains(document.activeElement) && document.activeElement.closest("tr[data-item]") ? chosen : null;
  });
  document.addEventListener("htmx:afterSettle", () => {
    local(document);
    const row = items().find((each) => each.dataset.item === chosen);
    if (row) row.classList.add("chosen");
    if (row && typed) row.querySelector("a.open")?.focus({ preventScroll: true });
  });
  document.addEventListener("DOMContentLoaded", () => {
    local(document);
    document.getElementById("help").addEventListener("click", () => document.getElementById("keys").showModal());
    document.querySelector("[autofocus]")?.focus();
  });
})();
