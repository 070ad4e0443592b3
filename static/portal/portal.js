// What every page of the portal adds in the browser: the invitation behind the #, and the service worker.
"use strict";
(() => {
  const invitation = document.querySelector("#invitation");
  const secret = location.hash.slice(1);
  if (invitation && secret) {
    history.replaceState(null, "", location.pathname); // it stays out of the address and of what is kept of it
    invitation.querySelector("[name=token]").value = secret;
    invitation.requestSubmit();
  }
  document.querySelector(".field.bad :is(input, select)")?.focus();
  if (document.body.dataset.partner) navigator.serviceWorker?.register("/portal/sw.js", { scope: "/portal/" });
})();
