// A stand-in for Neuroon's search widget: the same attributes on its script element, the same
// token header, the same `neuroon_clicks` cookie. It searches whatever answers at `data-api-url`.
"use strict";

(() => {
  const TEXTS = {
    en: { label: "Search the shop", hint: "What are you looking for?", none: "Nothing found.", open: "Search", failed: "The search is taking a break. Try again in a moment.", found: (n) => (n === 1 ? "1 result" : `${n} results`) },
    es: { label: "Buscar en la tienda", hint: "¿Qué estás buscando?", none: "No hay resultados.", open: "Buscar", failed: "La búsqueda no responde. Inténtalo dentro de un momento.", found: (n) => (n === 1 ? "1 resultado" : `${n} resultados`) },
    fr: { label: "Chercher dans la boutique", hint: "Que cherchez-vous ?", none: "Aucun résultat.", open: "Chercher", failed: "La recherche ne répond pas. Réessayez dans un instant.", found: (n) => (n === 1 ? "1 résultat" : `${n} résultats`) },
    de: { label: "Im Laden suchen", hint: "Was suchen Sie?", none: "Nichts gefunden.", open: "Suchen", failed: "Die Suche antwortet gerade nicht. Bitte gleich noch einmal.", found: (n) => (n === 1 ? "1 Treffer" : `${n} Treffer`) },
    it: { label: "Cerca nel negozio", hint: "Che cosa cerchi?", none: "Nessun risultato.", open: "Cerca", failed: "La ricerca non risponde. Riprova tra un momento.", found: (n) => (n === 1 ? "1 risultato" : `${n} risultati`) },
    pt: { label: "Procurar na loja", hint: "O que procura?", none: "Sem resultados.", open: "Procurar", failed: "A pesquisa não responde. Tente novamente dentro de momentos.", found: (n) => (n === 1 ? "1 resultado" : `${n} resultados`) },
    ca: { label: "Cerca a la botiga", hint: "Què busques?", none: "No hi ha resultats.", open: "Cerca", failed: "La cerca no respon. Torna-ho a provar d'aquí a un moment.", found: (n) => (n === 1 ? "1 resultat" : `${n} resultats`) },
    eu: { label: "Bilatu dendan", hint: "Zeren bila zabiltza?", none: "Ez da emaitzarik.", open: "Bilatu", failed: "Bilaketak ez du erantzuten. Saiatu berriro une batean.", found: (n) => (n === 1 ? "Emaitza 1" : `${n} emaitza`) },
    gl: { label: "Buscar na tenda", hint: "Que estás a buscar?", none: "Non hai resultados.", open: "Buscar", failed: "A busca non responde. Téntao de novo nun momento.", found: (n) => (n === 1 ? "1 resultado" : `${n} resultados`) },
  };

  const CSS = `
    :host { --paper: #fff; --ink: #22302a; --soft: #67736c; --edge: #8a958e; --tint: #eef3ee; --mark: #27513f; display: block; color: var(--ink); }
    :host([data-theme="dark"]) { --paper: #1b2420; --ink: #e9eee9; --soft: #a3b0a8; --edge: #6d7b73; --tint: #2a3731; --mark: #93cdb1; --dim: brightness(.88) saturate(.95); }
    @media (prefers-color-scheme: dark) {
      :host([data-theme="auto"]) { --paper: #1b2420; --ink: #e9eee9; --soft: #a3b0a8; --edge: #6d7b73; --tint: #2a3731; --mark: #93cdb1; --dim: brightness(.88) saturate(.95); }
    }
    *, *::before { box-sizing: border-box; }
    [hidden] { display: none !important; }
    .box { position: relative; }
    input { width: 100%; min-height: 2.75rem; padding: .5rem .9rem; font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--edge); border-radius: 999px; appearance: none; }
    input::placeholder { color: var(--soft); opacity: 1; }
    :focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
    .panel { position: absolute; z-index: 50; inset: calc(100% + .4rem) 0 auto 0; max-height: min(28rem, 70vh); overflow-y: auto; padding: .4rem; background: var(--paper); border: 1px solid var(--edge); border-radius: 1rem; box-shadow: 0 18px 40px -18px rgb(0 0 0 / .45); }
    .note { margin: 0; padding: .6rem .7rem; color: var(--soft); font-size: .9rem; }
    .hit { display: grid; grid-template-columns: 2.75rem 1fr auto; gap: .8rem; align-items: center; padding: .4rem .6rem .4rem .4rem; color: inherit; text-decoration: none; border-radius: .7rem; }
    .hit:hover, .hit[aria-selected="true"] { background: var(--tint); }
    .hit[aria-selected="true"] { box-shadow: inset 0 0 0 2px var(--mark); }
    .thumb { width: 2.75rem; height: 2.75rem; border-radius: .5rem; background: var(--tint); overflow: hidden; }
    img { display: block; width: 100%; height: 100%; object-fit: cover; filter: var(--dim, none); }
    .name { display: block; line-height: 1.25; }
    .brand { display: block; color: var(--soft); font-size: .82rem; }
    .price { font-variant-numeric: tabular-nums; white-space: nowrap; }
    .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
    .open { min-height: 3rem; padding: 0 1.3rem; font: inherit; font-weight: 600; color: var(--paper); background: var(--mark); border: 0; border-radius: 999px; cursor: pointer; box-shadow: 0 10px 24px -10px rgb(0 0 0 / .5); }
    :host([data-position="floating"]) { position: fixed; z-index: 60; right: 1.2rem; bottom: 1.2rem; }
    :host([data-position="floating"]) .box { width: min(24rem, calc(100vw - 2.4rem)); }
    :host([data-position="floating"]) .panel { inset: auto 0 calc(100% + .4rem) 0; }
  `;

  const COOKIE = "neuroon_clicks";
  const COOKIE_ROOM = 4095 - COOKIE.length - 1;
  const PAUSE = 180;

  // --- the cookie ------------------------------------------------------------------------------

  /** The pairs of the cookie, oldest first. An object would put numeric ids before all others. */
  function readClicks() {
    const found = document.cookie.split("; ").find((part) => part.startsWith(`${COOKIE}=`));
    const clicks = new Map();
    if (!found) return clicks;
    const text = decoded(found.slice(COOKIE.length + 1));
    for (const [, key, value] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:\s*("(?:[^"\\]|\\.)*")/g)) {
      try {
        clicks.set(JSON.parse(key), JSON.parse(value));
      } catch {
        // Not ours; left out.
      }
    }
    return clicks;
  }

  /** Cut in the middle of an escape, what is complete is read all the same. */
  function decoded(text) {
    for (let end = text.length; end > text.length - 12; end -= 1) {
      try {
        return decodeURIComponent(text.slice(0, end));
      } catch {
        // One character less, then.
      }
    }
    return "";
  }

  function encodeClicks(clicks) {
    const pairs = [...clicks].map(([id, log]) => `${JSON.stringify(id)}:${JSON.stringify(log)}`);
    return encodeURIComponent(`{${pairs.join(",")}}`);
  }

  function rememberClick(externalId, searchLogId) {
    const clicks = readClicks();
    clicks.delete(externalId);
    clicks.set(externalId, searchLogId);
    // Too long, it is cut off where the room ends, as the real one is.
    const text = encodeClicks(clicks).slice(0, COOKIE_ROOM);
    document.cookie = `${COOKIE}=${text}; path=/; SameSite=Lax`;
  }

  // --- small things ----------------------------------------------------------------------------

  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  /** An address a shopper may be sent to, or "". */
  function safeUrl(text) {
    try {
      const url = new URL(text, document.baseURI);
      return ["http:", "https:"].includes(url.protocol) ? url.href : "";
    } catch {
      return "";
    }
  }

  function money(amount, currency, locale) {
    try {
      return new Intl.NumberFormat(locale, { style: "currency", currency }).format(amount);
    } catch {
      return `${amount} ${currency ?? ""}`.trim();
    }
  }

  // --- the widget ------------------------------------------------------------------------------

  class SearchBox {
    constructor(host, options) {
      this.options = options;
      this.texts = TEXTS[options.locale] ?? TEXTS.en;
      this.hits = [];
      this.active = -1;
      this.build(host);
      this.listen(host);
    }

    build(host) {
      const { texts } = this;
      host.dataset.theme = this.options.theme;
      host.dataset.position = this.options.position;
      const root = host.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
      root.adoptedStyleSheets = [sheet];
      this.input = make("input", {
        type: "text", role: "combobox", "aria-label": texts.label, placeholder: texts.hint,
        "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "hits",
        autocomplete: "off", autocapitalize: "none", spellcheck: "false", enterkeyhint: "search",
      });
      this.list = make("div", { role: "listbox", id: "hits", "aria-label": texts.label });
      this.note = make("p", { class: "note", hidden: "" });
      this.panel = make("div", { class: "panel", hidden: "" }, this.list, this.note);
      this.status = make("p", { class: "unseen", role: "status" });
      this.box = make("div", { class: "box" }, this.input, this.panel);
      root.append(this.box, this.status);
      if (this.options.position === "floating") this.fold(root);
    }

    /** Floating: a button in the corner until it is wanted. */
    fold(root) {
      this.opener = make("button", { type: "button", class: "open" });
      this.opener.textContent = this.texts.open;
      this.box.hidden = true;
      root.append(this.opener);
      this.opener.addEventListener("click", () => {
        this.box.hidden = false;
        this.opener.hidden = true;
        this.input.focus();
      });
    }

    unfold() {
      if (!this.opener) return;
      this.box.hidden = true;
      this.opener.hidden = false;
      this.opener.focus();
    }

    listen(host) {
      this.input.addEventListener("input", () => this.schedule());
      this.input.addEventListener("focus", () => this.show(this.hits.length > 0));
      this.input.addEventListener("keydown", (event) => this.key(event));
      for (const kind of ["click", "auxclick"]) {
        this.list.addEventListener(kind, (event) => this.chosen(event));
      }
      host.addEventListener("focusout", (event) => {
        if (!host.contains(event.relatedTarget)) this.show(false);
      });
      this.panel.addEventListener("mousedown", (event) => event.preventDefault());
    }

    schedule() {
      clearTimeout(this.timer);
      this.request?.abort();
      const query = this.input.value.trim();
      if (!query) return this.fill([], "");
      this.timer = setTimeout(() => this.search(query), PAUSE);
    }

    async search(query) {
      this.request = new AbortController();
      const { api, token } = this.options;
      try {
        const response = await fetch(`${api}/api/widget/search?q=${encodeURIComponent(query)}`, {
          headers: { Accept: "application/json", "X-Widget-Token": token },
          credentials: "omit",
          signal: this.request.signal,
        });
        if (!response.ok) throw new Error(`status ${response.status}`);
        const { searchLogId, results } = await response.json();
        this.searchLogId = searchLogId;
        this.fill(results, this.texts.none);
      } catch (error) {
        if (error.name !== "AbortError") this.fill([], this.texts.failed);
      }
    }

    fill(results, otherwise) {
      this.hits = results.map((result, index) => this.hit(result, index)).filter(Boolean);
      this.list.replaceChildren(...this.hits);
      this.note.textContent = this.hits.length ? "" : otherwise;
      this.note.hidden = !this.note.textContent;
      this.status.textContent = this.hits.length ? this.texts.found(this.hits.length) : otherwise;
      this.mark(-1);
      this.show(this.hits.length > 0 || Boolean(otherwise));
    }

    hit(result, index) {
      const href = safeUrl(result.url);
      if (!href) return null;
      const name = make("span", { class: "name" });
      name.textContent = result.name;
      const brand = make("span", { class: "brand" });
      brand.textContent = result.brand ?? "";
      const price = make("span", { class: "price" });
      price.textContent = money(result.price, result.currency, this.options.locale);
      const thumb = make("span", { class: "thumb" });
      const image = result.imageUrl && safeUrl(result.imageUrl);
      if (image) thumb.append(make("img", { src: image, alt: "", loading: "lazy" }));
      const link = make(
        "a",
        { href, role: "option", id: `hit-${index}`, class: "hit", tabindex: "-1", "aria-selected": "false" },
        thumb, make("span", {}, name, brand), price,
      );
      link.dataset.externalId = result.externalId;
      return link;
    }

    chosen(event) {
      const link = event.target.closest("a");
      if (!link || event.button > 1 || !this.searchLogId) return;
      rememberClick(link.dataset.externalId, this.searchLogId);
    }

    key(event) {
      const moves = { ArrowDown: 1, ArrowUp: -1 };
      if (event.isComposing) return;
      if (event.key in moves && this.hits.length) {
        event.preventDefault();
        this.show(true);
        const places = this.hits.length + 1; // one place is the input itself
        this.mark(((this.active + 1 + moves[event.key] + places) % places) - 1);
      } else if (event.key === "Enter") {
        event.preventDefault();
        this.hits[this.active]?.click();
      } else if (event.key === "Escape") {
        this.escape();
      }
    }

    escape() {
      if (!this.panel.hidden) return this.show(false);
      this.input.value = "";
      this.schedule();
      this.unfold();
    }

    mark(index) {
      this.hits[this.active]?.setAttribute("aria-selected", "false");
      this.active = index;
      const hit = this.hits[index];
      if (!hit) return this.input.removeAttribute("aria-activedescendant");
      hit.setAttribute("aria-selected", "true");
      hit.scrollIntoView({ block: "nearest" });
      this.input.setAttribute("aria-activedescendant", hit.id);
    }

    show(open) {
      this.panel.hidden = !open;
      this.input.setAttribute("aria-expanded", String(open && this.hits.length > 0));
      if (!open) this.mark(-1);
    }
  }

  // --- start -----------------------------------------------------------------------------------

  const script =
    document.currentScript ?? document.querySelector("script[data-token][data-container]");
  if (!script) return;
  const { token, container, theme, locale, apiUrl, position } = script.dataset;
  const options = {
    token,
    api: (apiUrl || "https://api.neuroon.ai").replace(/\/+$/, ""),
    theme: ["light", "dark"].includes(theme) ? theme : "auto",
    position: position === "floating" ? "floating" : "inline",
    locale: (locale || document.documentElement.lang || "en").toLowerCase().split(/[-_]/)[0],
  };

  function start() {
    const place = container && document.querySelector(container);
    if (!token || !place || place.querySelector(":scope > [data-neuroon]")) return;
    const host = make("div", { "data-neuroon": "stand-in" });
    new SearchBox(host, options);
    place.append(host);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
