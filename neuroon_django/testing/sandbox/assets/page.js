// Keeps the sandbox's page as it is now, and orders what a button says. The page itself is rendered
// by the sandbox; a poll brings its sections, and those that differ are replaced.
"use strict";

(() => {
  const EVERY = 2000;
  const search = document.querySelector("#q");
  const shop = encodeURIComponent(document.querySelector("[name=shop]").value);
  const away = document.querySelector(".away");
  const shown = new Map();
  const bodies = new Map();

  const sections = () => document.querySelectorAll("[data-section]");
  const byKey = (root, key) => root.querySelector(`[data-key="${CSS.escape(key)}"]`);

  async function refresh() {
    try {
      const response = await fetch(
        `/_sandbox/sections?shop=${shop}&q=${encodeURIComponent(search.value)}`,
      );
      const fresh = await response.json();
      for (const section of sections()) replace(section, fresh[section.dataset.section]);
      away.hidden = true;
    } catch {
      away.hidden = false;
    }
  }

  /** Replace a section's content; what was open stays open, what had the focus keeps it. */
  function replace(section, html) {
    if (shown.get(section) === html) return;
    shown.set(section, html);
    const open = [...section.querySelectorAll("details[open]")].map((one) => one.dataset.key);
    const focused = section.contains(document.activeElement) && keyOf(document.activeElement);
    section.innerHTML = html;
    for (const key of open) {
      const details = byKey(section, key);
      if (details) show(details);
    }
    if (focused) focus(byKey(section, focused));
  }

  const keyOf = (node) => node.closest("[data-key]")?.dataset.key;
  const focus = (node) => (node?.querySelector("summary") ?? node)?.focus();

  /** Open a request, with its body, which never changes once it was received. */
  async function show(details) {
    const body = details.querySelector("[data-body]");
    const { body: number } = body.dataset;
    details.open = true;
    if (!bodies.has(number)) {
      const response = await fetch(`/_sandbox/body?shop=${shop}&number=${number}`);
      bodies.set(number, response.ok ? await response.text() : "It was forgotten.");
    }
    body.textContent = bodies.get(number);
  }

  async function order({ scenario: name, product }) {
    await fetch(`/_sandbox/scenario?shop=${shop}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(product === undefined ? { name } : { name, external_id: product }),
    });
    await refresh();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-scenario]");
    if (button) order(button.dataset);
  });
  document.addEventListener(
    "toggle",
    (event) => {
      if (event.target.open && event.target.querySelector("[data-body]")) show(event.target);
    },
    true,
  );
  document.addEventListener(
    "error",
    (event) => {
      if (event.target.matches?.(".picture img")) event.target.remove();
    },
    true,
  );
  search.addEventListener("input", refresh);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  setInterval(() => document.hidden || refresh(), EVERY);
})();
