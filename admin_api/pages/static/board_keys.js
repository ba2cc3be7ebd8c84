// The board of halls by the keyboard.
"use strict";

const MOVES = {
  ArrowLeft: (cells, place) => cells[place - 1],
  ArrowRight: (cells, place) => cells[place + 1],
  Home: (cells) => cells[0],
  End: (cells) => cells[cells.length - 1],
};
const LETTERS = { KeyT: "today", KeyD: "day", KeyW: "week" };
const PAGES = { PageUp: "before", PageDown: "after" };

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || state.choice) return;
  const cell = event.target.closest?.("[data-cell]");
  const isInside = Boolean(cell) || event.target === document.body;
  if (!isInside) return;
  if (LETTERS[event.code] && !event.shiftKey) leave(LETTERS[event.code]);
  else if (!cell) return;
  else if (PAGES[event.key]) leave(PAGES[event.key]);
  else if (!cellKey(event, cell)) return;
  event.preventDefault();
}

function cellKey(event, cell) {
  const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.shiftKey && side && isFree(cell)) {
    grow(cell, side);
    return true;
  }
  if (event.key === "Escape") {
    unchoose();
    return true;
  }
  if ((event.key === "Enter" || event.key === " ") && isFree(cell)) {
    askAt(cell);
    return true;
  }
  return move(event, cell);
}

function move(event, cell) {
  const row = rowOf(cell);
  let next;
  if (MOVES[event.key]) {
    const cells = cellsOf(row);
    next = MOVES[event.key](cells, cells.indexOf(cell));
  } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    const all = rows();
    const other = all[all.indexOf(row) + (event.key === "ArrowUp" ? -1 : 1)];
    if (other) next = tdOf(cell) ? nearest(other, spanOf(cell)[0]) : cellsOf(other)[0];
  } else {
    return false;
  }
  unchoose();
  turnTo(next);
  return true;
}
