// The board of halls: its rows, cells and columns, and which cell has the focus. The first of the board's scripts;
// what they share is declared here. Nothing is changed by any of them: every way ends in an action's own form.
"use strict";

const KEPT_CELL = "board.cell";

const board = document.getElementById("board");
const state = { current: null, choice: null, range: null, shade: null, drag: null, clicked: false };

const rows = () => [...board.querySelectorAll("tbody tr")];
const cellsOf = (row) => [...row.querySelectorAll("[data-cell]")];
const rowOf = (cell) => cell.closest("tr");
const tdOf = (cell) => cell.closest("td");
const tableOf = (element) => element.closest("table");
const timesOf = (table) => table.dataset.times.split("|");
const isFree = (cell) => cell.classList.contains("board-free");

function spanOf(cell) {
  const td = tdOf(cell);
  return td ? [Number(td.dataset.at), Number(td.dataset.at) + td.colSpan] : [-1, 0];
}

// Up and down go by the time that both rows share, whatever their cells span.
function nearest(row, column) {
  const cells = cellsOf(row).slice(1);
  const distance = (cell) => {
    const [first, last] = spanOf(cell);
    return Math.max(first - column, column - last + 1, 0);
  };
  return cells.reduce((best, cell) => (best && distance(best) <= distance(cell) ? best : cell), null) || cellsOf(row)[0];
}

// Where some of a row's columns are on the screen.
function boxOf(row, first, last) {
  const whole = row.getBoundingClientRect();
  const left = whole.left + row.querySelector(".board-name").offsetWidth;
  const unit = (whole.right - left) / (timesOf(tableOf(row)).length - 1);
  return { left: left + first * unit, top: whole.top, width: (last - first) * unit, height: whole.height };
}

function layOver(element, box) {
  for (const [side, pixels] of Object.entries(box)) element.style[side] = `${pixels}px`;
}

function turnTo(cell, focused = true) {
  if (!cell) return;
  board.querySelectorAll("[data-cell]").forEach((one) => one.setAttribute("tabindex", "-1"));
  cell.setAttribute("tabindex", "0");
  state.current = cell;
  if (!focused) return;
  cell.focus();
  showBeside(cell);
}

// The names stand over the time: what is behind them is scrolled out from there.
function showBeside(cell) {
  const box = cell.closest(".board-scroll");
  const names = rowOf(cell).querySelector(".board-name").getBoundingClientRect();
  const place = cell.getBoundingClientRect();
  if (!tdOf(cell)) return;
  if (place.left < names.right) box.scrollLeft -= names.right - place.left + 8;
}

function begin() {
  const wanted = sessionStorage.getItem(KEPT_CELL);
  sessionStorage.removeItem(KEPT_CELL);
  if (wanted) {
    turnTo(cellLike(JSON.parse(wanted)));
  } else {
    const first = board.querySelector(".board-block, .board-free") || board.querySelector("[data-cell]");
    turnTo(first, false);
    showNow();
  }
}

// A day wider than the screen begins an hour before the present.
function showNow() {
  board.querySelectorAll(".board-now line").forEach((line) => {
    const box = line.closest(".board-scroll");
    const names = box.querySelector(".board-name").offsetWidth;
    const hour = (box.scrollWidth - names) / (secondsOf(box.querySelector("table")) / 3600);
    box.scrollLeft = (Number(line.getAttribute("x1")) / 1000) * (box.scrollWidth - names) - hour;
  });
}

// Where a cell is, to find the same hall and time on another page, or on this one made anew.
function whereIs(cell) {
  const row = rowOf(cell);
  const table = tableOf(row);
  const [column] = spanOf(cell);
  return {
    hall: row.dataset.hall,
    on: table.dataset.on,
    place: [...board.querySelectorAll("table")].indexOf(table),
    time: column < 0 ? "" : clock(timesOf(table)[column]),
  };
}

function cellLike(where) {
  const row = rowLike(where);
  if (!row || !where.time) return row && cellsOf(row)[0];
  return nearest(row, timesOf(tableOf(row)).findIndex((time) => clock(time) >= where.time));
}

// The hall's row on the day, else on the same weekday, else the first.
function rowLike({ hall, on, place }) {
  const tables = [...board.querySelectorAll("table")];
  const table = tables.find((one) => one.dataset.on === on) || tables[place] || tables[0];
  const all = table ? [...table.querySelectorAll("tbody tr")] : [];
  return all.find((row) => row.dataset.hall === hall) || all[0];
}

// To another day or scale; who went by the keyboard finds the same hall and time there.
function leave(way) {
  let address = board.dataset[way];
  if (state.current && board.contains(document.activeElement)) {
    const where = whereIs(state.current);
    if (way === "day") address = address.replace(/on=[^&]*/, `on=${where.on}`);
    if (way === "today") where.on = new URLSearchParams(address.split("?")[1]).get("on");
    sessionStorage.setItem(KEPT_CELL, JSON.stringify(where));
  }
  location.href = address;
}

function say(text) {
  const said = board.querySelector("[data-said]");
  if (said) said.textContent = text || "\u00a0";
}
