// The keyboard: j and k along the items, Enter opens, single letters lead to forms, g and a letter to pages. Also local times.
(() => {
  let on = true; // until somebody chose otherwise here: who dictates, or whose hand slips, has no use for single keys
  try { on = localStorage.getItem("keys") !== "off"; } catch { /* private windows may have no storage */ }
  let chosen = null; // data-item of the item under the hand; it survives parts that are replaced
  let place = 0; // where it stood: when it is gone, j and k go on from there
  let gone = -Infinity; // when g was pressed

  const items = () => [...document.querySelectorAll("tr[data-item]")];
  const typing = (target) => target.closest("input, select, textarea, [contenteditable]") !== null;

  function choose(row) {
    for (const other of items()) other.classList.toggle("chosen", other === row);
    chosen = row.dataset.item;
    place = items().indexOf(row);
  }

  function move(by) {
    const rows = items();
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.dataset.item === chosen);
    const next = at >= 0 ? at + by : by > 0 ? place : place - 1;
    const row = rows[Math.min(rows.length - 1, Math.max(0, next))];
    choose(row);
    row.scrollIntoView({ block: "nearest" });
    row.querySelector("a.open")?.focus({ preventScroll: true });
  }

  // Where there are items, a letter is about the chosen one and no other; if none is, one is chosen first. It leads to the
  // form and never sends it: one stray key must not sign.
  function form(key) {
    const rows = items();
    const row = rows.find((each) => each.dataset.item === chosen);
    if (rows.length && !row) { move(1); return; }
    const found = (row || document).querySelector(`form[data-form="${key}"]`);
    (found?.querySelector("[data-focus]") || found?.querySelector("button"))?.focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
    if (!on || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.timeStamp - gone < 1500) {
      gone = -Infinity;
      const page = document.querySelector(`[data-key="g ${event.key}"]`);
      if (page) { event.preventDefault(); location.assign(page.href); return; }
    }
    const does = {
      j: () => move(1),
      k: () => move(-1),
      g: () => { gone = event.timeStamp; },
      a: () => form("a"),
      r: () => form("r"),
      x: () => form("x"),
      s: () => form("s"),
      u: () => history.back(),
      "/": () => document.querySelector('[data-focus="/"]')?.focus(),
      "?": help,
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr[data-item]");
    if (row) choose(row);
  });

  function help() {
    const dialog = document.getElementById("keys");
    document.getElementById("single").checked = on;
    dialog.showModal();
    dialog.querySelector("button").focus(); // Not the switch, which the next key could turn.
  }

  function local(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
      const at = new Date(time.getAttribute("datetime"));
      if (!Number.isNaN(at.getTime())) time.title = `${at.toLocaleString()} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
    }
  }

  // A part that is replaced keeps the focus where it was: on what leads to the same place or says the same.
  const kind = "a, button, summary, [tabindex]";
  const name = (each) => [each.id, each.getAttribute("href"), each.getAttribute("aria-label") || each.textContent.trim()].join("\n");
  let focused = null; // { item, name } of what had the focus in the part that is being replaced

  document.addEventListener("htmx:beforeSwap", (event) => {
    const active = document.activeElement;
    if (!event.detail.target.contains(active)) return;
    focused = { item: active.closest("tr[data-item]")?.dataset.item, name: name(active) };
  });
  document.addEventListener("htmx:afterSwap", () => {
    local(document);
    const row = items().find((each) => each.dataset.item === chosen);
    if (row) { row.classList.add("chosen"); place = items().indexOf(row); }
    if (!focused) return;
    const { item, name: wanted } = focused;
    focused = null;
    const within = item ? items().find((each) => each.dataset.item === item) : document.getElementById("part");
    const same = within && [...within.querySelectorAll(kind)].find((each) => name(each) === wanted);
    const now = same || within?.querySelector("a.open") || document.getElementById("main");
    if (document.activeElement !== now) now.focus({ preventScroll: true });
  });
  addEventListener("storage", (event) => { if (event.key === "keys") on = event.newValue !== "off"; }); // Chosen in another tab.
  document.addEventListener("DOMContentLoaded", () => {
    local(document);
    document.getElementById("help").addEventListener("click", help);
    document.getElementById("single").addEventListener("change", (event) => {
      on = event.target.checked;
      try { localStorage.setItem("keys", on ? "on" : "off"); } catch { /* as above */ }
    });
  });
})();
