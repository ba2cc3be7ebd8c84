"use strict";
// Hall, day, time, what it costs, hold. The address keeps what was chosen, so that a reload finds it again. With
// `move` in the address the same page moves a booking that is paid.
(() => {
  const LOOK_MS = 15000;
  const DAYS = 14;
  const QUOTE_AFTER_MS = 250;
  const BOOKINGS = 10;
  const MINUTE_MS = 60000;
  const { words, at, element, classed, fill, sum, link } = page;
  const form = at("book");
  const halls = JSON.parse(at("halls").textContent);
  const asked = new URLSearchParams(window.location.search);
  const chosen = {
    hall: asked.get("hall"), minutes: Number(asked.get("minutes")), people: Number(asked.get("people")) || 1,
    at: Number.isNaN(Date.parse(asked.get("at"))) ? "" : asked.get("at"), extras: {},
  };
  let moved = null; // the booking that is to be moved
  let percentMax = 100; // the most that canceling it gives back
  let first = days.today();
  let available = { free: [], starts: [] };
  let wantedDay = "";
  let asking = 0; // the newest question; answers to older ones are dropped
  let quote = null;
  let quoting = null;
  let key = ""; // one for each quote: sent twice, it is held once

  const hall = () => halls.find((one) => one.id === chosen.hall) || halls[0];
  const slot = () => ({
    starts_at: chosen.at, ends_at: new Date(Date.parse(chosen.at) + chosen.minutes * MINUTE_MS).toISOString(),
  });
  const extras = () =>
    Object.entries(chosen.extras).filter(([, quantity]) => quantity).map(([extra_id, quantity]) => ({ extra_id, quantity }));

  const keep = () => {
    const { hall: id, minutes, people, at: start } = chosen;
    const kept = new URLSearchParams({ hall: id, minutes, people, ...(start && { at: start }), ...(moved && { move: moved.id }) });
    at("language").href = `/book?${kept}&lang=${at("language").hreflang}`;
    if (asked.get("lang")) kept.set("lang", asked.get("lang"));
    window.history.replaceState(null, "", `/book?${kept}`);
  };

  const placeHall = () => {
    const { minutes_min, minutes_max, step_minutes, capacity, extras: lent } = hall();
    chosen.hall = hall().id;
    chosen.minutes = Math.min(Math.max(chosen.minutes || minutes_min, minutes_min), minutes_max);
    chosen.minutes -= chosen.minutes % step_minutes;
    form.minutes.replaceChildren(...fields.lengths(hall()));
    form.minutes.value = chosen.minutes;
    form.people.max = capacity;
    form.people.value = chosen.people = Math.min(chosen.people, capacity);
    form.querySelector(`[name=hall][value="${chosen.hall}"]`).checked = true;
    chosen.extras = Object.fromEntries(lent.map(({ id }) => [id, chosen.extras[id] || 0]));
    at("lent").hidden = !lent.length;
    at("extras").replaceChildren(...fields.extras(hall(), chosen.extras, (id, quantity) => {
      chosen.extras[id] = quantity;
      askQuote();
    }));
  };
  const chosenDay = () => chosen.at.slice(0, 10);
  const placeDays = () => {
    const { free, starts } = available;
    const count = Math.min(DAYS, daysLeft());
    const wanted = [form.day?.value, chosenDay(), wantedDay].find((day) => day && starts.some((start) => start.startsWith(day)));
    const shown = wanted || starts[0]?.slice(0, 10);
    at("days").replaceChildren(...days.dayList(first, count, starts, shown));
    at("earlier").disabled = first <= days.today();
    at("later").disabled = daysLeft() <= DAYS;
    placeTimes(shown, free, starts);
  };
  const daysLeft = () => Math.round((Date.parse(days.add(days.today(), hall().horizon_days + 1)) - Date.parse(first)) / (1440 * MINUTE_MS));
  const placeTimes = (day, free, starts) => {
    const own = day ? starts.filter((start) => start.startsWith(day)) : [];
    at("times").replaceChildren(...days.timeList(own, free, hall().currency, chosen.at));
    at("times-note").textContent = own.length ? "" : words.no_free_days;
    at("times-note").hidden = Boolean(own.length);
  };
  const loadTimes = async () => {
    const mine = ++asking;
    const until = days.add(first, Math.min(DAYS, daysLeft()));
    keep();
    at("times").setAttribute("aria-busy", "true");
    try {
      const asked = new URLSearchParams({
        from: first, to: until, duration: chosen.minutes, ...(moved && { booking_id: moved.id }),
      });
      const path = `/halls/${chosen.hall}/availability?${asked}`;
      // Only to its own customer a booking's time is shown as free.
      const { value } = await (moved ? session.call("GET", path) : session.look(path));
      if (mine !== asking) return;
      [available] = value.halls;
      placeDays();
    } catch (problem) {
      at("times-note").textContent = page.problemText(problem);
      at("times-note").hidden = false;
    } finally {
      if (mine === asking) at("times").removeAttribute("aria-busy");
    }
  };
  const forgetDay = () => form.querySelectorAll("[name=day]:checked").forEach((one) => { one.checked = false; });
  const turn = (count) => {
    first = days.add(first, count);
    if (first < days.today()) first = days.today();
    forgetDay();
    return loadTimes();
  };

  const difference = () => {
    const more = quote.total_minor - moved.total_minor;
    const text = more > 0 ? words.move_more : more < 0 ? words.move_less : words.move_same;
    return classed("p", "lead", fill(text, { sum: sum(Math.abs(more), quote.currency) }));
  };
  // What was chosen stays in view while its sum is not.
  let isCostSeen = false;
  const placeBar = () => { at("bar").hidden = !chosen.at || isCostSeen; };
  const watchCost = () => {
    new IntersectionObserver(([{ isIntersecting }]) => {
      isCostSeen = isIntersecting;
      placeBar();
    }).observe(at("cost"));
  };
  // A booking keeps the terms that it was made with, and moving it does not make it cheaper to cancel.
  const movedTerms = () => offer.terms({ terms: moved.terms, starts_at: quote.starts_at }, percentMax);
  const placeCost = () => {
    const isSignedIn = Boolean(session.tokens());
    at("cost").hidden = !chosen.at;
    placeBar();
    if (!chosen.at) return;
    const told = `${hall().name}, ${offer.when(slot())}`;
    at("chosen").textContent = told;
    const price = quote ? ` · ${sum(quote.total_minor, quote.currency)}` : "";
    at("bar").textContent = `${offer.shortWhen(slot())}${price}`;
    at("visitor").hidden = at("visitor-note").hidden = isSignedIn;
    at("hold-place").hidden = !quote;
    at("lines").replaceChildren(...(quote ? [offer.table(quote), ...(moved ? [difference(), movedTerms()] : [offer.terms(quote)])] : []));
  };
  const placeAlternatives = (found) => {
    at("alternatives").replaceChildren(...found.map((one) => {
      const made = element("button", one.hall_id === chosen.hall ? offer.shortWhen(one) : `${one.hall_name}, ${offer.shortWhen(one)}`);
      made.type = "button";
      made.addEventListener("click", () => take(one));
      return made;
    }));
  };
  const take = async (alternative) => {
    chosen.hall = alternative.hall_id;
    chosen.at = alternative.starts_at;
    if (!(first <= chosenDay() && chosenDay() < days.add(first, DAYS))) first = chosenDay();
    placeHall();
    forgetDay();
    askQuote();
    at("chosen").focus();
    await loadTimes();
  };
  const explain = (problem) => {
    const { alternatives = [], extra_id } = problem.facts || {};
    const name = hall().extras.find(({ id }) => id === extra_id)?.name;
    page.say(page.problemText({ code: problem.code, facts: { ...problem.facts, name } }));
    placeAlternatives(alternatives);
    if (problem.code === "too_many_holds") at("alternatives").replaceChildren(page.linkButton(words.my_bookings, "/"));
    if (problem.code === "slot_taken") loadTimes();
  };

  const fetchQuote = async (told) => {
    const wish = { hall_id: chosen.hall, ...slot(), people: chosen.people, extras: extras(), ...(moved && { booking_id: moved.id }) };
    const asked_now = ++quoting.number;
    try {
      const { value } = await session.call("POST", "/quotes", wish);
      if (asked_now !== quoting.number) return;
      quote = value;
      key = session.newKey();
      page.say(told);
      quoting.again = window.setTimeout(() => askQuote(), Math.max(Date.parse(value.valid_until) - page.studioNow() - MINUTE_MS, MINUTE_MS));
    } catch (problem) {
      if (asked_now !== quoting.number) return;
      explain(problem);
    }
    placeCost();
  };
  quoting = { number: 0, timer: 0, again: 0 };
  // `told` stays in view beside the new quote: why there is one.
  const askQuote = (told = "") => {
    window.clearTimeout(quoting.timer);
    window.clearTimeout(quoting.again);
    quote = null;
    quoting.number += 1;
    keep();
    placeAlternatives([]);
    page.say("");
    placeCost();
    if (!chosen.at || !session.tokens() || !form.people.reportValidity()) return;
    page.say(words.working);
    quoting.timer = window.setTimeout(() => fetchQuote(told), QUOTE_AFTER_MS);
  };

  const hold = async () => {
    const path = moved ? `/bookings/${moved.id}/reschedule` : "/bookings";
    at("hold").disabled = true;
    page.say(words.working);
    try {
      const { status, value } = await session.command(path, { quote: quote.quote }, key);
      page.say(words.in_queue);
      if (status === 202) return;
      // Who comes back here chooses anew: the time that was chosen is theirs already.
      chosen.at = "";
      keep();
      page.go(`/bookings/${value.id}`);
    } catch (problem) {
      if (problem.code === "quote_expired") {
        askQuote(page.problemText(problem));
        return;
      }
      quote = problem.code ? null : quote;
      explain(problem);
      placeCost();
    } finally {
      at("hold").disabled = false;
    }
  };

  const left = (deadline) => Math.max(0, Math.ceil((Date.parse(deadline) - page.studioNow()) / MINUTE_MS));
  const placeHeld = async () => {
    const { value } = await session.call("GET", `/bookings?limit=${BOOKINGS}`);
    const held = value.items.find(({ state, hold_expires_at }) =>
      ["held", "awaiting_payment"].includes(state) && left(hold_expires_at));
    at("held").hidden = !held || Boolean(moved);
    if (!held) return;
    const text = fill(words.you_hold, { what: `${held.hall_name}, ${offer.when(held)}`, minutes: left(held.hold_expires_at) });
    const go = element("a", words.go_on);
    go.href = link(`/bookings/${held.id}`);
    at("held").replaceChildren(`${text} `, go);
  };
  const beginMove = async () => {
    const path = `/bookings/${asked.get("move")}`;
    const [booking, cancellation] = await Promise.all([
      session.call("GET", path), session.call("GET", `${path}/cancellation`),
    ]);
    moved = booking.value;
    percentMax = cancellation.value.refund_percent;
    if (!asked.get("hall")) {
      chosen.hall = moved.hall_id;
      chosen.minutes = (Date.parse(moved.ends_at) - Date.parse(moved.starts_at)) / MINUTE_MS;
      chosen.people = moved.people;
      const day = days.localDate(moved.starts_at);
      if (day >= days.add(first, DAYS)) first = day;
      wantedDay = day;
      forgetDay();
    }
    chosen.extras = Object.fromEntries(moved.extras.map(({ extra_id, quantity }) => [extra_id, quantity]));
    at("title").textContent = words.move_title;
    at("moving").textContent = fill(words.move_from, { what: `${moved.hall_name}, ${offer.when(moved)}` });
    at("moving").hidden = false;
    at("hold").textContent = words.move;
    at("hold-note").hidden = true;
    placeHall();
    await loadTimes();
  };
  const tellNotMoved = ({ code }) => {
    at("moving").textContent = code === "not_found" ? words["problem.no_booking"] : words.went_wrong;
    at("moving").hidden = false;
  };
  let wasSignedIn = false;
  const show = async () => {
    const isSignedIn = Boolean(session.tokens());
    if (isSignedIn && !wasSignedIn) {
      if (asked.get("move") && !moved) await beginMove().catch(tellNotMoved);
      askQuote();
    }
    wasSignedIn = isSignedIn;
    if (asked.get("move") && !isSignedIn) at("cost").hidden = at("visitor").hidden = at("visitor-note").hidden = false;
    if (isSignedIn) await placeHeld().catch(() => {});
  };

  if (!form) return;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", ({ target }) => {
    if (target.name === "hall") {
      chosen.hall = target.value;
      chosen.at = "";
      placeHall();
      loadTimes();
      askQuote();
    } else if (target.name === "minutes") {
      chosen.minutes = Number(target.value);
      loadTimes();
      askQuote();
    } else if (target.name === "people") {
      chosen.people = Number(target.value);
      askQuote();
    } else if (target.name === "day") {
      placeTimes(target.value, available.free, available.starts);
    } else if (target.name === "at") {
      chosen.at = target.value;
      askQuote();
    }
  });
  at("earlier").addEventListener("click", () => turn(-DAYS));
  at("later").addEventListener("click", () => turn(DAYS));
  at("hold").addEventListener("click", hold);
  const isElsewhere = new Date().toLocaleTimeString("en") !== new Date().toLocaleTimeString("en", { timeZone: page.timezone });
  at("zone").hidden = !isElsewhere;
  if (chosenDay() >= days.add(first, DAYS)) first = chosenDay();
  watchCost();
  placeHall();
  loadTimes();
  page.begin(show, LOOK_MS);
  placeCost();
})();
