"use strict";
// Looks whether the payment has moved on, and shows the page anew when it has.
(() => {
  const LOOK_MS = 2000;
  const LOOKS_MAX = 450;
  const card = document.querySelector("[data-status]");
  if (!card) return;
  let looks = 0;

  const look = async () => {
    looks += 1;
    try {
      const answer = await fetch(card.dataset.status, { cache: "no-store" });
      if (answer.ok && (await answer.json()).phase !== card.dataset.mark) {
        window.location.reload();
        return;
      }
    } catch {
      // The network is away for a moment: the next look will tell.
    }
    if (looks < LOOKS_MAX) window.setTimeout(look, LOOK_MS);
  };

  window.setTimeout(look, LOOK_MS);
})();
