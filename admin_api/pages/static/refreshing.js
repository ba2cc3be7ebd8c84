// A page that refreshes a part of itself, and keeps the focus where it was. Without it, a link does the same.
// The part: data-refreshed="seconds". What has the focus is found again by its data-key, id or href.
"use strict";

const refreshing = {
  part: document.querySelector("[data-refreshed]"),
  // Others may hold it while something is chosen or carried, and hear of it when it is done.
  isHeld: () => false,
  done: () => {},
};

function keyOf(element) {
  if (!refreshing.part.contains(element)) return null;
  for (const name of ["data-key", "id", "href"]) {
    const value = element.getAttribute(name);
    if (value) return [name, value, places(name, value).indexOf(element)];
  }
  return null;
}

function places(name, value) {
  return [...refreshing.part.querySelectorAll(`[${name}]`)].filter((one) => one.getAttribute(name) === value);
}

async function refresh() {
  const { part } = refreshing;
  if (document.hidden || refreshing.isHeld()) return;
  let answer;
  try {
    answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  } catch {
    return;
  }
  // Somebody else's page, or the door: the person shall see it by going there, not by losing this one.
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  if (!fresh || refreshing.isHeld()) return;
  const key = keyOf(document.activeElement);
  const hadFocus = part.contains(document.activeElement);
  const scrolled = [...part.querySelectorAll(".board-scroll, .table-box")].map((box) => box.scrollLeft);
  for (const { name, value } of [...fresh.attributes]) part.setAttribute(name, value);
  part.replaceChildren(...fresh.childNodes);
  part.querySelectorAll(".board-scroll, .table-box").forEach((box, place) => {
    box.scrollLeft = scrolled[place] || 0;
  });
  refreshing.done(hadFocus);
  if (key) {
    const [name, value, place] = key;
    const found = places(name, value);
    (found[place] || found[0])?.focus({ preventScroll: true });
  }
}

if (refreshing.part) {
  setInterval(refresh, Number(refreshing.part.dataset.refreshed) * 1000);
  document.addEventListener("visibilitychange", refresh);
  refreshing.part.addEventListener("click", (event) => {
    if (!event.target.closest("[data-refresh]")) return;
    event.preventDefault();
    refresh();
  });
}
