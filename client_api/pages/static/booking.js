"use strict";
// One booking of mine: how it stands, how long it is held, and what can be done with it.
(() => {
  const LOOK_MS = 3000;
  const SECOND_MS = 1000;
  const MINUTE_MS = 60000;
  const MINUTES_TOLD = [5, 1];
  const HELD = ["held", "awaiting_payment"];
  const { words, at, element, classed, fill, sum, primary, button, linkButton } = page;
  const card = at("booking");
  const path = `/bookings/${card.dataset.booking}`;
  let booking = null;
  let shown = "";

  const pay = async () => {
    if (booking.state !== "held") return page.pay(booking.invoice_id);
    const answer = await session.command(`${path}/checkout`, { payment: "online" });
    return answer.status === 202 ? answer : page.pay(answer.value.invoice_id);
  };
  const payOnSite = () => session.command(`${path}/checkout`, { payment: "on_site" });

  const closeSure = () => {
    at("sure").hidden = true;
    at("buttons").hidden = false;
  };
  const cancel = async () => {
    const answer = await session.command(`${path}/cancel`);
    closeSure();
    return answer;
  };
  const cancelTitle = () => (HELD.includes(booking.state) ? words.let_go : words.cancel_booking);
  const cancelWords = ({ refund_minor, kept_minor }) => {
    if (HELD.includes(booking.state)) return words.cancel_hold_sure;
    if (!refund_minor && !kept_minor) return words.cancel_booking_unpaid_sure;
    if (!refund_minor) return words.cancel_booking_none_sure;
    return kept_minor ? words.cancel_booking_sure : words.cancel_booking_all_sure;
  };
  // What would go back is asked of the API, and shown before anything is done.
  const askCancel = async () => {
    const { value } = await session.call("GET", `${path}/cancellation`);
    const { currency } = booking;
    const told = fill(cancelWords(value), {
      back: sum(value.refund_minor, currency), kept: sum(value.kept_minor, currency), percent: value.refund_percent,
    });
    const keepIt = element("button", words.keep_booking);
    keepIt.type = "button";
    keepIt.addEventListener("click", () => { closeSure(); at("buttons").querySelector("button, a")?.focus(); });
    const question = element("p", told);
    question.tabIndex = -1;
    at("sure").replaceChildren(question, classed("p", "buttons", "", primary(cancelTitle(), cancel), keepIt));
    at("sure").hidden = false;
    at("buttons").hidden = true;
    question.focus();
  };

  const again = () => {
    const { hall_id, starts_at, ends_at, people } = booking;
    const minutes = (Date.parse(ends_at) - Date.parse(starts_at)) / MINUTE_MS;
    return linkButton(words.start_again, `/book?${new URLSearchParams({ hall: hall_id, minutes, people })}`);
  };
  const buttons = () => {
    const { state, allowed_actions: can, due_minor, currency, total_minor } = booking;
    const made = [];
    if (isOver()) return [again()];
    if (HELD.includes(state) && can.includes("check_out_online")) made.push(primary(`${words.pay} ${sum(total_minor, currency)}`, pay));
    else if (due_minor && booking.invoice_id && booking.payment === "online" && state !== "canceled") {
      made.push(primary(`${words.pay} ${sum(due_minor, currency)}`, pay));
    }
    if (can.includes("check_out_on_site")) made.push(button(words.pay_on_site, payOnSite));
    if (can.includes("reschedule")) made.push(linkButton(words.move, `/book?move=${booking.id}`));
    if (can.includes("cancel")) made.push(button(cancelTitle(), askCancel));
    if (["expired", "canceled"].includes(state)) made.push(again());
    return made;
  };

  const isHeld = () => booking && HELD.includes(booking.state);
  const leftMs = () => Date.parse(booking.hold_expires_at) - page.studioNow();
  // The deadline has passed and the slot is not free again yet: nothing can be begun any more.
  const isOver = () => isHeld() && leftMs() <= 0;
  const digits = (count) => String(count).padStart(2, "0");
  const spoken = (ms) => {
    const seconds = Math.ceil(ms / SECOND_MS);
    const hours = Math.floor(seconds / 3600);
    return `${hours ? `${hours}:` : ""}${digits(Math.floor(seconds / 60) % 60)}:${digits(seconds % 60)}`;
  };
  const tick = () => {
    at("left").hidden = at("left-note").hidden = !isHeld();
    at("state").hidden = Boolean(isOver());
    if (!isHeld()) return;
    const ms = leftMs();
    at("left").textContent = spoken(Math.max(ms, 0));
    at("left-note").textContent = ms > 0 ? fill(words.hold_until, { time: page.clock(booking.hold_expires_at) }) : words.hold_over;
    // A screen reader is told now and then, not every second.
    if (MINUTES_TOLD.some((minutes) => Math.ceil(ms / SECOND_MS) === minutes * 60)) {
      page.say(fill(words.hold_left, { minutes: Math.round(ms / MINUTE_MS) }));
    }
    if (ms <= 0 && ms > -SECOND_MS) at("buttons").replaceChildren(...buttons());
  };

  const standing = () => {
    const { state, refunded_minor, due_minor, paid_minor, currency } = booking;
    const told = [words[`booking.${state}`]];
    if (refunded_minor) told.push(fill(words.given_back, { sum: sum(refunded_minor, currency) }));
    if (state === "confirmed" && due_minor && paid_minor) told.push(fill(words.due, { sum: sum(due_minor, currency) }));
    if (state === "confirmed" && booking.payment === "on_site") told.push(words.is_paid_on_site);
    if (state === "expired") told.push(words.expired_money);
    return told.join(". ");
  };
  const loadTerms = async () => {
    if (!booking.allowed_actions.includes("cancel")) return [];
    if (isHeld()) return [offer.terms(booking)];
    const { value } = await session.call("GET", `${path}/cancellation`);
    return [offer.terms(booking, value.refund_percent)];
  };
  const place = async () => {
    const text = JSON.stringify(booking);
    if (text === shown) return;
    const terms = await loadTerms();
    shown = text;
    at("when").textContent = offer.when(booking);
    at("where").textContent = `${booking.hall_name} · ${fill(words.people_count, booking)}`;
    at("state").textContent = standing();
    at("buttons").replaceChildren(...buttons());
    at("lines").replaceChildren(offer.table(booking), ...terms);
    closeSure();
    card.hidden = false;
    tick();
  };
  const show = async () => {
    const isSignedIn = Boolean(session.tokens());
    at("visitor").hidden = at("visitor-note").hidden = isSignedIn;
    card.hidden = !isSignedIn || !booking;
    if (!isSignedIn) {
      booking = null;
      shown = "";
      return;
    }
    try {
      booking = (await session.call("GET", path)).value;
      await place();
    } catch (problem) {
      if (!session.tokens()) await show();
      else if (problem.code === "not_found") page.say(words["problem.no_booking"]);
    }
  };

  window.setInterval(tick, SECOND_MS);
  page.begin(show, LOOK_MS);
})();
