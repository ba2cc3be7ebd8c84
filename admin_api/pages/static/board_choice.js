// The board of halls: a range of free time, and what may be done with it.
"use strict";

// The columns of free time around a cell: nothing that is taken or closed between.
function runAround(cell) {
  const free = cellsOf(rowOf(cell)).filter(isFree).map(spanOf);
  let [first, last] = spanOf(cell);
  for (let grown = true; grown;) {
    grown = false;
    for (const [from, to] of free) {
      if (to === first) { first = from; grown = true; }
      if (from === last) { last = to; grown = true; }
    }
  }
  return [first, last];
}

function choose(row, first, last) {
  state.range = { row, first, last };
  const sheet = row.closest(".board-sheet");
  state.shade ||= sheet.appendChild(Object.assign(document.createElement("div"), { className: "board-chosen" }));
  const corner = sheet.getBoundingClientRect();
  const box = boxOf(row, first, last);
  layOver(state.shade, { ...box, left: box.left - corner.left, top: box.top - corner.top });
  say(rangeText());
}

function unchoose() {
  state.shade?.remove();
  state.shade = null;
  state.range = null;
  state.choice?.remove();
  state.choice = null;
}

function clock(time) {
  return time.slice(11);
}

function rangeText() {
  const { row, first, last } = state.range;
  const times = timesOf(tableOf(row));
  return `${row.dataset.name}, ${clock(times[first])}–${clock(times[last])}`;
}

// The form of an action with what was chosen; closing is about the hall, whose id is in the path.
function filled(what, row, first, last) {
  const times = timesOf(tableOf(row));
  const query = new URLSearchParams({ starts_at: times[first], ends_at: times[last] });
  if (what === "block") return `${board.dataset.block}${row.dataset.hall}?${query}`;
  query.set("hall_id", row.dataset.hall);
  return `${what === "book" ? board.dataset.book : what}?${query}`;
}

// What to do with the range: links to the forms, as a menu beside it.
function offer(x, y) {
  const { row, first, last } = state.range;
  const box = document.createElement("div");
  box.className = "board-choice";
  box.setAttribute("role", "dialog");
  box.setAttribute("aria-label", board.dataset.chooseText);
  const title = document.createElement("p");
  title.textContent = rangeText();
  box.append(title);
  for (const what of ["book", "block"]) {
    if (!board.dataset[what]) continue;
    const link = document.createElement("a");
    link.href = filled(what, row, first, last);
    link.textContent = board.dataset[`${what}Text`];
    box.append(link);
  }
  box.addEventListener("keydown", (event) => choiceKey(event, [...box.querySelectorAll("a")]));
  document.body.append(box);
  box.style.left = `${Math.max(8, Math.min(x, innerWidth - box.offsetWidth - 8))}px`;
  box.style.top = `${Math.max(8, Math.min(y, innerHeight - box.offsetHeight - 8))}px`;
  state.choice = box;
  box.querySelector("a").focus();
}

function choiceKey(event, links) {
  const place = links.indexOf(document.activeElement);
  if (event.key === "Escape") {
    const { current } = state;
    unchoose();
    turnTo(current);
  } else if (event.key === "ArrowDown" || (event.key === "Tab" && !event.shiftKey)) {
    links[(place + 1) % links.length].focus();
  } else if (event.key === "ArrowUp" || event.key === "Tab") {
    links[(place + links.length - 1) % links.length].focus();
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

// A cell alone is as long as the hall's shortest visit, as far as there is free time.
function takeCell(cell) {
  const row = rowOf(cell);
  const [, runEnd] = runAround(cell);
  const step = Number(row.dataset.step);
  const first = Math.ceil(spanOf(cell)[0] / step) * step;
  const last = Math.max(spanOf(cell)[1], first + Number(row.dataset.least));
  choose(row, Math.min(first, runEnd - 1), Math.min(last, runEnd));
}

function askAt(cell) {
  if (!board.dataset.book && !board.dataset.block) return;
  if (!state.range) takeCell(cell);
  const place = cell.getBoundingClientRect();
  offer(place.left, place.bottom + 4);
}

// Shift and an arrow: the range begins with the shortest visit, grows, and shrinks back to the cell.
function grow(cell, direction) {
  const [runStart, runEnd] = runAround(cell);
  if (!state.range) takeCell(cell);
  const { row, first, last } = state.range;
  const [from, to] = spanOf(cell);
  const step = Math.max(Number(row.dataset.step), 1);
  if (first < from || (direction < 0 && last <= to)) {
    choose(row, Math.min(from, Math.max(runStart, first + direction * step)), last);
  } else {
    choose(row, first, Math.max(to, Math.min(runEnd, last + direction * step)));
  }
}
