"use strict";
// The fields of a booking that depend on the hall: how long, and what is lent beside it.
const fields = (() => {
  const UNLIMITED_SHOWN = 10;
  const QUANTITY_SHOWN = 20;
  const { words, element, classed, sum } = page;

  const option = (value, text) => Object.assign(element("option", text), { value });
  const spokenMinutes = (minutes) =>
    [[Math.floor(minutes / 60), words.hours_short], [minutes % 60, words.minutes_short]]
      .filter(([count]) => count).map(([count, unit]) => `${count} ${unit}`).join(" ");
  const lengths = ({ minutes_min, minutes_max, step_minutes }) =>
    Array.from({ length: (minutes_max - minutes_min) / step_minutes + 1 }, (_, i) => minutes_min + i * step_minutes)
      .map((minutes) => option(minutes, spokenMinutes(minutes)));

  // `quantities` by the extra's id; `onChange` is told of both.
  const extras = ({ extras: lent, currency }, quantities, onChange) => lent.map(({ id, name, unit, amount_minor, stock }) => {
    const select = element("select");
    const most = Math.min(stock ?? UNLIMITED_SHOWN, QUANTITY_SHOWN);
    select.append(...Array.from({ length: most + 1 }, (_, count) => option(count, String(count))));
    select.value = quantities[id];
    select.addEventListener("change", () => onChange(id, Number(select.value)));
    const price = `${sum(amount_minor, currency)} ${words[`extra.${unit}`]}`;
    return classed("label", "price", "", element("span", "", name, " ", classed("span", "quiet", price)), select);
  });

  return { lengths, extras };
})();
