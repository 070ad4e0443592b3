(() => {
  const one = (query) => document.querySelector(query);
  const token = () => one("[name=csrfmiddlewaretoken]").value;
  const post = async (form, values) => {
    const body = new FormData(form);
    for (const [name, value] of Object.entries(values)) body.set(name, value);
    const answer = await fetch(form.getAttribute("action") || location.pathname, {
      method: "POST", body, keepalive: true, headers: { Accept: "application/json", "X-CSRFToken": token() },
    });
    return answer.json();
  };

  // The visit: told once the page is seen, never by a previewer.
  const visit = one("#visit");
  let told;
  const tell = () => told ||= post(visit, {}).then((answer) => {
    one("#receipt").textContent = answer.receipt || "–";
    if (answer.line) one("#line").textContent = answer.line;
    return answer;
  }, () => {
    told = null;
    visit.hidden = false;
  });
  if (visit) {
    visit.hidden = true;
    const seen = () => document.visibilityState === "visible" && tell();
    document.addEventListener("visibilitychange", seen);
    seen();
  }

  // The place, on a tap.
  const place = one("#place");
  if (place && navigator.geolocation) {
    const say = one("#place-said");
    place.closest("li").hidden = false;
    place.addEventListener("click", () => navigator.geolocation.getCurrentPosition(async ({ coords }) => {
      if (visit) await tell();
      const answer = await post(place.form, { lat: coords.latitude, lon: coords.longitude, accuracy: coords.accuracy });
      say.textContent = answer.said;
      place.disabled = answer.done;
    }, () => { say.textContent = say.dataset.refused; }, { timeout: 10000, maximumAge: 60000 }));
  }

  // The one-time code, without leaving the form.
  for (const button of document.querySelectorAll("button[value=send]")) {
    const said = one("#sent");
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      if (button.getAttribute("aria-disabled")) return;
      button.setAttribute("aria-disabled", "true");
      try {
        const answer = await post(button.form, { step: "send" });
        said.textContent = answer.said;
        (answer.done ? one("[name=one_time_code]") : one("[name=phone]")).focus();
        setTimeout(() => button.removeAttribute("aria-disabled"), answer.done ? 30000 : 0);
      } catch {
        button.removeAttribute("aria-disabled");
        button.form.requestSubmit(button);
      }
    });
  }

  // Digits in fours, while typing at the end; a second press of a button sends nothing.
  for (const field of document.querySelectorAll(".fours")) {
    field.addEventListener("input", () => {
      if (field.selectionStart !== field.value.length) return;
      field.value = field.value.replace(/[\s-]+/g, "").replace(/(.{4})(?=.)/g, "$1 ");
    });
  }
  for (const form of document.forms) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) return event.preventDefault();
      form.dataset.sent = "1";
      event.submitter?.setAttribute("aria-disabled", "true");
    });
  }
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.forms) delete form.dataset.sent;
    for (const button of document.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
  });

  // "Enter the code" opens the form below and goes to its first empty field.
  const enter = () => one(".claim:target input:not([type=hidden])")?.focus({ preventScroll: true });
  addEventListener("hashchange", enter);
})();
