// The pretend payment: what the provider's server would send, without this browser's cookies.
"use strict";

const button = document.getElementById("pay");

async function pay() {
  const state = document.getElementById("pay-state");
  button.disabled = true;
  state.textContent = "Paying…";
  try {
    const response = await fetch(button.dataset.url, {
      method: "POST",
      credentials: "omit",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ order: button.dataset.order, signature: button.dataset.signature }),
    });
    if (!response.ok) throw new Error(`The shop answered ${response.status}.`);
    window.location.reload();
  } catch (error) {
    state.textContent = `The payment did not go through. ${error.message}`;
    button.disabled = false;
  }
}

if (button) button.addEventListener("click", pay);
