// What the pages do by themselves: the menu of a narrow screen, waiting for a command, and pickers.
// Everything works without it: the menu stands open, a link refreshes, a picker searches with a button.
"use strict";

const WATCH_MILLISECONDS = 700;
const WATCH_TRIES = 60;
const PICK_MILLISECONDS = 250;

document.documentElement.classList.add("js");

const menuButton = document.querySelector(".menu-button");
if (menuButton) {
  const menu = document.getElementById("menu");
  menuButton.hidden = !window.matchMedia("(max-width: 48rem)").matches;
  window.matchMedia("(max-width: 48rem)").addEventListener("change", (event) => {
    menuButton.hidden = !event.matches;
  });
  menuButton.addEventListener("click", () => {
    const isOpen = menu.classList.toggle("is-open");
    menuButton.setAttribute("aria-expanded", String(isOpen));
  });
}

async function ask(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

// The page is read again when the command has its answer: state, badge and refusal are then the server's words.
async function watch(notice) {
  for (let tries = 0; tries < WATCH_TRIES; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, WATCH_MILLISECONDS));
    try {
      const operation = await ask(notice.dataset.watch);
      if (operation.state !== "accepted") {
        location.reload();
        return;
      }
    } catch {
      continue;
    }
  }
  notice.querySelector(".spinner").remove();
  notice.querySelector(".no-script").classList.remove("no-script");
}

document.querySelectorAll("[data-watch]").forEach(watch);

class Picker {
  constructor(box) {
    this.input = box.querySelector("input[type=search]");
    this.value = box.querySelector("input[type=hidden]");
    this.results = box.querySelector(".picker-results");
    this.status = box.querySelector(".picker-status");
    this.what = box.dataset.picker;
    this.current = -1;
    this.timer = 0;
    this.asked = 0;
    this.input.addEventListener("input", () => this.later());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
  }

  later() {
    this.value.value = "";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), PICK_MILLISECONDS);
  }

  async look() {
    const term = this.input.value.trim();
    const asked = ++this.asked;
    if (!term) return this.close();
    let found;
    try {
      found = await ask(`/admin/look-ups/${this.what}?term=${encodeURIComponent(term)}`);
    } catch {
      return this.close();
    }
    if (asked === this.asked) this.show(found);
  }

  show(found) {
    this.results.replaceChildren(...found.items.map((choice, place) => {
      const line = document.createElement("li");
      line.setAttribute("role", "option");
      line.id = `${this.results.id}-${place}`;
      line.dataset.id = choice.id;
      line.textContent = choice.text;
      line.addEventListener("mousedown", () => this.take(line));
      return line;
    }));
    this.status.textContent = found.status;
    this.results.hidden = found.items.length === 0;
    this.input.setAttribute("aria-expanded", String(found.items.length > 0));
    this.mark(found.items.length ? 0 : -1);
  }

  mark(place) {
    const lines = [...this.results.children];
    this.current = place;
    lines.forEach((line, number) => line.setAttribute("aria-selected", String(number === place)));
    if (place >= 0) {
      this.input.setAttribute("aria-activedescendant", lines[place].id);
      lines[place].scrollIntoView({ block: "nearest" });
    } else {
      this.input.removeAttribute("aria-activedescendant");
    }
  }

  key(event) {
    const count = this.results.hidden ? 0 : this.results.children.length;
    if (event.key === "Escape") this.close();
    if (!count) return;
    if (event.key === "ArrowDown") this.mark((this.current + 1) % count);
    else if (event.key === "ArrowUp") this.mark((this.current + count - 1) % count);
    else if (event.key === "Enter") this.take(this.results.children[this.current]);
    else return;
    event.preventDefault();
  }

  take(line) {
    this.value.value = line.dataset.id;
    this.input.value = line.textContent;
    this.close();
  }

  close() {
    this.results.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.mark(-1);
  }
}

// Whoever has the script needs no button that searches, and Enter shall not press it.
document.querySelectorAll("button.no-script").forEach((button) => button.remove());

// A machine wider than the screen begins where the thing is now.
document.querySelectorAll(".machine-box").forEach((box) => {
  const current = box.querySelector(".current");
  if (current) {
    const place = current.getBoundingClientRect();
    box.scrollLeft += place.right - box.getBoundingClientRect().right + place.width / 2;
  }
});

document.querySelectorAll("[data-picker]").forEach((box) => new Picker(box));

// An invitation's code comes behind the "#": it is put into the form, and out of the address.
const tokenBox = document.querySelector("[data-token-box]");
if (tokenBox && location.hash.length > 1) {
  tokenBox.querySelector("input").value = decodeURIComponent(location.hash.slice(1));
  tokenBox.hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
}
