"use strict";
// My bookings, my subscriptions and their invoices, and what can be done with them.
(() => {
  const LOOK_MS = 4000;
  const PAGE = 10;
  const AHEAD = ["held", "awaiting_payment", "confirmed"];
  const { words, at, element, classed, money, moment, day, weekday, clock, button, primary, linkButton } = page;
  let shown = "";

  const askRefund = async (invoice) => {
    const reason = window.prompt(words.refund_reason);
    if (!reason) return null;
    const payment = invoice.payments.find((one) => one.amount.amount_minor > one.refunded.amount_minor);
    const left = payment.amount.amount_minor - payment.refunded.amount_minor;
    return session.command(`/invoices/${invoice.id}/refund-requests`, { amount_minor: left, reason: reason.slice(0, 500) });
  };
  const cancel = async (subscription) => {
    const sure = subscription.state === "active" ? words.cancel_sure : words.cancel_unpaid_sure;
    return window.confirm(sure) ? session.command(`/subscriptions/${subscription.id}/cancel`) : null;
  };
  const letEnd = async (subscription) =>
    window.confirm(words.cancel_at_period_end_sure.replace("{date}", moment(subscription.current_period_end)))
      ? session.command(`/subscriptions/${subscription.id}/cancel`, { at_period_end: true })
      : null;
  const cancelButtons = (subscription) => {
    const buttons = classed("p", "buttons");
    const isActive = subscription.state === "active";
    if (subscription.allowed_actions.includes("cancel_at_period_end")) {
      const until = day(subscription.current_period_end);
      buttons.append(button(words.cancel_at_period_end.replace("{date}", until), () => letEnd(subscription)));
    }
    if (subscription.allowed_actions.includes("cancel")) {
      const made = button(isActive ? words.cancel_now : words.cancel, () => cancel(subscription));
      if (isActive) made.className = "quiet";
      buttons.append(made);
    }
    return buttons;
  };

  const timeline = (invoice) => {
    const list = element("ol");
    for (const step of invoice.timeline) {
      const told = words[`step.${step.machine}.${step.trigger}`] || words[`${step.machine}.${step.to_state}`];
      list.append(element("li", told, element("time", moment(step.at))));
    }
    return element("details", "", element("summary", words.timeline), list);
  };
  const invoiceCard = (invoice) => {
    const card = classed("div", "invoice");
    const title = `${words.invoice} ${invoice.number || ""} · ${money(invoice.total)}`;
    card.append(element("p", title), element("p", words[`invoice.${invoice.state}`]));
    if (invoice.period_start) {
      card.append(element("p", `${words.period} ${day(invoice.period_start)} – ${day(invoice.period_end)}`));
    }
    if (invoice.state === "open") card.append(element("p", `${words.link_pay_until} ${moment(invoice.expires_at)}`));
    const buttons = classed("p", "buttons");
    if (invoice.allowed_actions.includes("pay")) buttons.append(primary(words.pay, () => page.pay(invoice.id)));
    if (invoice.allowed_actions.includes("request_refund")) {
      buttons.append(button(words.request_refund, () => askRefund(invoice)));
    }
    card.append(buttons, timeline(invoice));
    return card;
  };
  const standing = ({ state, current_period_end, cancel_at_period_end }) => {
    const is = words[`subscription.${state}`];
    if (state !== "active") return is;
    const until = moment(current_period_end);
    return cancel_at_period_end ? words.active_until_end.replace("{date}", until) : `${is}, ${words.until} ${until}`;
  };
  const subscriptionCard = ({ subscription, invoice }) => {
    const card = classed("article", "card", "", element("h2", subscription.plan_name));
    card.append(element("p", standing(subscription)));
    if (invoice) card.append(invoiceCard(invoice));
    card.append(cancelButtons(subscription));
    return card;
  };

  const bookingCard = (booking) => {
    const card = classed("article", "card", "", element("h2", `${weekday(booking.starts_at)}, ${clock(booking.starts_at)}`));
    const isDue = booking.state === "confirmed" && booking.due_minor && booking.paid_minor;
    const due = isDue ? `. ${page.fill(words.due, { sum: page.sum(booking.due_minor, booking.currency) })}` : "";
    card.append(element("p", `${booking.hall_name} · ${words[`booking.${booking.state}`]}${due}`));
    card.append(classed("p", "buttons", "", linkButton(words.see_booking, `/bookings/${booking.id}`)));
    return card;
  };

  const bookingLink = (booking) => {
    const link = element("a", `${booking.hall_name}, ${offer.shortWhen(booking)}`);
    link.href = page.link(`/bookings/${booking.id}`);
    return element("li", "", link, ` · ${words[`booking.${booking.state}`]}`);
  };

  const loadSubscriptions = async () => {
    const { value } = await session.call("GET", `/subscriptions?limit=${PAGE}`);
    return Promise.all(value.items.map(async (subscription) => ({
      subscription,
      invoice: subscription.latest_invoice_id
        ? (await session.call("GET", `/invoices/${subscription.latest_invoice_id}`)).value
        : null,
    })));
  };
  const load = async () => {
    const [subscriptions, bookings] = await Promise.all([
      loadSubscriptions(), session.call("GET", `/bookings?limit=${PAGE}`),
    ]);
    return { subscriptions, bookings: bookings.value.items };
  };
  const place = (mine) => {
    const text = JSON.stringify(mine);
    if (text === shown) return;
    shown = text;
    at("my-bookings").hidden = !mine.bookings.length;
    const isAhead = ({ state }) => AHEAD.includes(state);
    const others = mine.bookings.filter((one) => !isAhead(one));
    at("bookings").replaceChildren(...mine.bookings.filter(isAhead).map(bookingCard));
    at("other-bookings").hidden = !others.length;
    at("other-bookings").lastElementChild.replaceChildren(...others.map(bookingLink));
    const opened = [...document.querySelectorAll("#subscriptions details")].map((one) => one.open);
    at("subscriptions").replaceChildren(
      ...(mine.subscriptions.length ? mine.subscriptions.map(subscriptionCard) : [element("p", words.nothing_yet)]),
    );
    [...document.querySelectorAll("#subscriptions details")].forEach((one, i) => { one.open = opened[i] ?? i === 0; });
  };
  const show = async () => {
    const tokens = session.tokens();
    at("visitor").hidden = Boolean(tokens);
    at("customer").hidden = !tokens;
    document.querySelectorAll("[data-price]").forEach((one) => { one.hidden = !tokens; });
    if (!tokens) return;
    at("who").textContent = tokens.customer.name;
    try {
      place(await load());
    } catch {
      if (!session.tokens()) await show();
    }
  };

  document.querySelectorAll("[data-price]").forEach((one) => {
    one.addEventListener("click", () => page.act(() => session.command("/subscriptions", { price_id: one.dataset.price })));
  });
  page.begin(show, LOOK_MS);
})();
