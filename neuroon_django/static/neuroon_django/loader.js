// For pages that are cached whole: fetches the widget token when the page is viewed, then puts the
// widget's script behind this one, with the same attributes and nonce.
"use strict";

(() => {
  const loader = document.currentScript ?? document.querySelector("script[data-neuroon-endpoint]");
  const { neuroonEndpoint, neuroonSrc, neuroonIntegrity, ...data } = loader.dataset;

  async function load() {
    const response = await fetch(neuroonEndpoint, { headers: { Accept: "application/json" } });
    if (!response.ok) return;
    const { token } = await response.json();
    const script = document.createElement("script");
    Object.assign(script.dataset, data, { token });
    Object.assign(script, { async: true, crossOrigin: "anonymous", nonce: loader.nonce });
    if (neuroonIntegrity) script.integrity = neuroonIntegrity;
    script.src = neuroonSrc;
    loader.after(script);
  }

  load().catch(() => {}); // no token, no widget; the next page asks again
})();
