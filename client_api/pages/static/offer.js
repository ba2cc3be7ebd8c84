"use strict";
// How an offer, a quote's or a booking's, is told: its lines, its sum, and what canceling would give back.
const offer = (() => {
  const HOUR_MS = 3600000;
  const { words, element, classed, fill, sum, shortMoment, clock } = page;

  const row = (name, amount, className) => {
    const made = element("tr", "", element("th", name), element("td", amount));
    made.firstChild.scope = "row";
    if (className) made.className = className;
    return made;
  };
  const lineRow = ({ description, quantity, unit_amount_minor }, currency) =>
    row(quantity > 1 ? `${description} × ${quantity}` : description, sum(quantity * unit_amount_minor, currency));
  const table = ({ lines, total_minor, currency }) => {
    const made = classed("table", "lines", "", classed("caption", "quiet", words.what_it_costs));
    made.append(...lines.map((line) => lineRow(line, currency)), row(words.total, sum(total_minor, currency), "total"));
    return made;
  };

  // Tiers with hours before the start, as deadlines that a person can keep; those that have passed are left out.
  // A booking that was moved gives back `percentMax` at most, however far away it is now.
  const terms = ({ terms: tiers, starts_at }, percentMax = 100) => {
    const ahead = tiers
      .map(({ hours_before, refund_percent }) => ({
        until: Date.parse(starts_at) - hours_before * HOUR_MS, refund_percent: Math.min(refund_percent, percentMax),
      }))
      .filter(({ until, refund_percent }) => until > page.studioNow() && refund_percent > 0);
    const told = ahead.map(({ until, refund_percent }) =>
      element("li", fill(words.term, { percent: refund_percent, until: shortMoment(until) })));
    told.push(element("li", told.length ? words.term_after : words.term_none));
    return element("div", "", classed("p", "quiet", words.terms), classed("ul", "quiet", "", ...told));
  };

  // A line does not break inside the hours.
  const until = (ends_at) => `\u2060–\u2060${clock(ends_at)}`;
  const when = ({ starts_at, ends_at }) => `${page.weekday(starts_at)}, ${clock(starts_at)}${until(ends_at)}`;

  const shortWhen = ({ starts_at, ends_at }) => `${shortMoment(starts_at)}${until(ends_at)}`;

  return { table, terms, when, shortWhen };
})();
