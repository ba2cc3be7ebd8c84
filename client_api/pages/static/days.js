"use strict";
// Dates of the studio's calendar as text, YYYY-MM-DD, and the two lists that a time is chosen from: days, then times.
const days = (() => {
  const DAY_MS = 86400000;
  const { words, element, classed, fill, sum, told } = page;

  const localDate = (at) => new Intl.DateTimeFormat("en-CA", { timeZone: page.timezone }).format(new Date(at));
  const today = () => localDate(page.studioNow());
  const add = (date, count) => new Date(Date.parse(date) + count * DAY_MS).toISOString().slice(0, 10);
  // A date alone is the same day everywhere.
  const spoken = (date, style) => new Date(date).toLocaleDateString(words.language, { timeZone: "UTC", ...style });

  const choice = (name, value, className, ...shown) => {
    const input = element("input");
    Object.assign(input, { type: "radio", name, value });
    return classed("label", className, "", input, classed("span", "face", "", ...shown));
  };

  // One radio button for each of `count` dates; those without a free time cannot be chosen.
  const dayList = (first, count, starts, chosen) =>
    Array.from({ length: count }, (_, i) => {
      const date = add(first, i);
      const free = starts.filter((start) => start.startsWith(date)).length;
      const made = choice("day", date, "choice day",
        element("small", spoken(date, { weekday: "short" })),
        element("b", spoken(date, { day: "numeric" })),
        element("small", spoken(date, { month: "short" })));
      const input = made.firstChild;
      input.disabled = !free;
      input.checked = date === chosen;
      const full = spoken(date, { weekday: "long", day: "numeric", month: "long" });
      input.setAttribute("aria-label", `${full}: ${free ? fill(words.free_times, { count: free }) : words.no_free_time}`);
      return made;
    });

  const bandAt = (start, free) => {
    const at = Date.parse(start);
    const holds = (one) => Date.parse(one.starts_at) <= at && at < Date.parse(one.ends_at);
    return free.find(holds)?.bands.find(holds);
  };
  const bandTitle = (band, currency) => {
    const price = `${sum(band.per_hour_minor, currency)} ${words.per_hour}`;
    return band.name ? `${band.name} · ${price}` : price;
  };
  // Radio buttons by the local clock, under what an hour costs then. An hour that exists twice shows its offset.
  const timeList = (starts, free, currency, chosen) => {
    const groups = [];
    starts.forEach((start, i) => {
      const band = bandAt(start, free);
      const title = band ? bandTitle(band, currency) : "";
      if (groups.at(-1)?.title !== title) groups.push({ title, faces: [] });
      const clock = start.slice(11, 16);
      const isTwice = starts.some((other, j) => j !== i && other.slice(0, 16) === start.slice(0, 16));
      const made = choice("at", start, "choice time", isTwice ? `${clock} ${start.slice(19)}` : clock);
      made.firstChild.checked = start === chosen;
      groups.at(-1).faces.push(made);
    });
    return groups.map(({ title, faces }) => {
      const made = classed("div", "band", "", classed("p", "quiet", title), classed("div", "grid", "", ...faces));
      made.setAttribute("role", "group");
      made.setAttribute("aria-label", title);
      return made;
    });
  };

  return { today, localDate, add, dayList, timeList };
})();
