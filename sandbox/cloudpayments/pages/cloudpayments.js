// The twin's stand-in for the provider's widget: same call, and the payer goes to the twin's own page.
(function () {
  "use strict";
  const origin = new URL(document.currentScript.src).origin;

  class CloudPayments {
    // Settles only when there is nothing to pay with: a payer who leaves for the page comes back by its button.
    start(intentParams) {
      return new Promise(function (_resolve, reject) {
        if (!intentParams || !intentParams.publicTerminalId) {
          reject(new Error("publicTerminalId is required"));
          return;
        }
        const intent = encodeURIComponent(JSON.stringify(intentParams));
        window.location.assign(origin + "/widget/start?intent=" + intent);
      });
    }
  }

  window.cp = Object.assign(window.cp || {}, { CloudPayments: CloudPayments });
})();
