"use strict";
// Opens the provider's form. What it tells us afterwards is for the eye only: the next page asks the server.
(() => {
  const button = document.getElementById("pay");
  const message = document.getElementById("message");
  const parameters = JSON.parse(document.getElementById("widget").textContent);

  const open = async () => {
    button.disabled = true;
    message.hidden = true;
    try {
      await new window.cp.CloudPayments().start(parameters);
      window.location.assign(button.dataset.done);
    } catch {
      message.hidden = false;
      button.disabled = false;
    }
  };

  button.addEventListener("click", open);
})();
