// The board of halls by the pointer: free time is chosen, a booking is carried elsewhere.
"use strict";

const DRAG_PIXELS = 6;
const EDGE_PIXELS = 36;

// The column under the pointer, and the row: as the table is drawn, names aside.
function placeAt(x, y) {
  const row = rows().find((one) => {
    const { top, bottom } = one.getBoundingClientRect();
    return y >= top && y < bottom;
  });
  if (!row) return null;
  const whole = row.getBoundingClientRect();
  const left = whole.left + row.querySelector(".board-name").offsetWidth;
  const columns = timesOf(tableOf(row)).length - 1;
  const column = Math.floor(((x - left) / (whole.right - left)) * columns);
  return { row, column: Math.max(0, Math.min(columns - 1, column)), columns };
}

function onDown(event) {
  if (event.button !== 0 || event.pointerType === "touch") return;
  if (state.choice?.contains(event.target)) return;
  unchoose();
  const cell = event.target.closest?.("[data-cell]");
  if (!cell || !tdOf(cell)) return;
  if (isFree(cell) && (board.dataset.book || board.dataset.block)) {
    state.drag = { kind: "range", cell, x: event.clientX, y: event.clientY, from: placeAt(event.clientX, event.clientY) };
  } else if (cell.dataset.move) {
    const grip = secondAt(placeAt(event.clientX, event.clientY)) - Number(cell.dataset.visit);
    state.drag = { kind: "carry", cell, x: event.clientX, y: event.clientY, grip };
  }
}

function onMove(event) {
  const { drag } = state;
  if (!drag) return;
  if (!drag.isOn && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < DRAG_PIXELS) return;
  drag.isOn = true;
  event.preventDefault();
  follow(event);
  if (drag.kind === "range") stretch(drag, event);
  else carry(drag, event);
}

function stretch(drag, event) {
  document.body.classList.add("is-choosing");
  const row = rowOf(drag.cell);
  const [runStart, runEnd] = runAround(drag.cell);
  const step = Number(row.dataset.step);
  const there = placeAt(event.clientX, drag.y).column;
  const first = Math.floor(Math.min(drag.from.column, there) / step) * step;
  const last = Math.ceil((Math.max(drag.from.column, there) + 1) / step) * step;
  choose(row, Math.max(runStart, first), Math.min(runEnd, last));
}

function carry(drag, event) {
  document.body.classList.add("is-carrying");
  drag.ghost ||= document.body.appendChild(Object.assign(document.createElement("div"), { className: "board-carried" }));
  drag.place = landing(drag, event);
  drag.ghost.hidden = !drag.place;
  if (!drag.place) return;
  const { row, first, last } = drag.place;
  const times = timesOf(tableOf(row));
  layOver(drag.ghost, boxOf(row, first, last));
  drag.ghost.textContent = `${clock(times[first])}–${clock(times[last])}`;
  say(board.dataset.moveText.replace("{time}", `${row.dataset.name}, ${times[first].slice(0, 10)} ${drag.ghost.textContent}`));
}

// Near the edge of what is seen the rest of the day comes along.
function follow(event) {
  const box = state.drag.cell.closest(".board-scroll");
  const { left, right } = box.getBoundingClientRect();
  const names = box.querySelector(".board-name").offsetWidth;
  if (event.clientX > right - EDGE_PIXELS) box.scrollLeft += EDGE_PIXELS / 2;
  if (event.clientX < left + names + EDGE_PIXELS) box.scrollLeft -= EDGE_PIXELS / 2;
}

// Where the booking would come to lie: as long as its visit is, on the other hall's grid, within the day.
function landing(drag, event) {
  const at = placeAt(event.clientX, event.clientY);
  if (!at) return null;
  const table = tableOf(at.row);
  const step = Number(at.row.dataset.step);
  const unit = secondsOf(table) / at.columns;
  const length = Math.round(Number(drag.cell.dataset.seconds) / unit);
  const wanted = (secondAt(at) - drag.grip - Number(table.dataset.starts)) / unit;
  const first = Math.min(Math.round(wanted / step) * step, at.columns - length);
  return first < 0 ? null : { row: at.row, first, last: first + length };
}

const secondsOf = (table) => Number(table.dataset.ends) - Number(table.dataset.starts);

// When the column begins that a place is in.
function secondAt({ row, column, columns }) {
  const table = tableOf(row);
  return Number(table.dataset.starts) + (secondsOf(table) / columns) * column;
}

// Whether a booking comes to lie where it is.
function isThere(drag) {
  const { row, first } = drag.place;
  const start = secondAt({ row, column: first, columns: timesOf(tableOf(row)).length - 1 });
  return row.dataset.hall === rowOf(drag.cell).dataset.hall && start === Number(drag.cell.dataset.visit);
}

function onUp(event) {
  const { drag } = state;
  state.drag = null;
  document.body.classList.remove("is-carrying", "is-choosing");
  if (!drag?.isOn) return;
  // The click that follows shall not follow the link.
  state.clicked = true;
  setTimeout(() => { state.clicked = false; }, 0);
  drag.ghost?.remove();
  if (drag.kind === "range") {
    turnTo(drag.cell, false);
    offer(event.clientX, event.clientY + 8);
  } else if (drag.place) {
    const { row, first, last } = drag.place;
    if (!isThere(drag)) location.href = filled(drag.cell.dataset.move, row, first, last);
  }
}

function cancelDrag(event) {
  if (event.key !== "Escape" || !state.drag) return;
  state.drag.ghost?.remove();
  state.drag = null;
  document.body.classList.remove("is-carrying", "is-choosing");
  unchoose();
}

function onClick(event) {
  const cell = event.target.closest?.("[data-cell]");
  if (state.clicked) {
    event.preventDefault();
    return;
  }
  if (!cell || !isFree(cell) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  turnTo(cell);
  takeCell(cell);
  offer(event.clientX, event.clientY + 8);
}
