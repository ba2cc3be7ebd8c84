// The board of halls: the present, what is left of holds, and how its other scripts are begun.
"use strict";

const NOW_MILLISECONDS = 1000;

const started = { at: 0, now: 0 };

function present() {
  return started.now + (performance.now() - started.at) / 1000;
}

function tick() {
  const now = present();
  board.querySelectorAll(".board-now line").forEach((line) => {
    const table = line.closest(".board-sheet").querySelector("table");
    const share = (now - Number(table.dataset.starts)) / secondsOf(table);
    for (const end of ["x1", "x2"]) line.setAttribute(end, String(Math.min(1000, Math.max(0, share * 1000))));
  });
  board.querySelectorAll("[data-deadline]").forEach((cell) => {
    const left = Math.max(0, Math.floor(Number(cell.dataset.deadline) - now));
    cell.querySelector(".board-left").textContent = left ? board.dataset.leftText.replace("{left}", leftText(left)) : board.dataset.overText;
  });
}

function leftText(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, place) => (place ? String(part).padStart(2, "0") : String(part))).join(":");
}

function settle() {
  started.at = performance.now();
  started.now = Number(board.dataset.now);
  tick();
}

if (board) {
  settle();
  setInterval(tick, NOW_MILLISECONDS);
  refreshing.isHeld = () => Boolean(state.drag || state.choice || state.range);
  refreshing.done = (hadFocus) => {
    settle();
    turnTo(state.current ? cellLike(whereIs(state.current)) : board.querySelector("[data-cell]"), hadFocus);
  };
  document.addEventListener("keydown", onKey);
  document.addEventListener("keydown", cancelDrag);
  document.addEventListener("pointerdown", onDown);
  document.addEventListener("pointermove", onMove);
  document.addEventListener("pointerup", onUp);
  board.addEventListener("click", onClick);
  board.addEventListener("dragstart", (event) => event.preventDefault());
  board.addEventListener("focusin", (event) => {
    const cell = event.target.closest("[data-cell]");
    if (!cell) return;
    if (cell !== state.current) turnTo(cell, false);
    if (!state.range) say(tdOf(cell) ? cell.getAttribute("aria-label") : "");
  });
  begin();
}
