"use strict";
// My subscriptions and their invoices, and what can be done with them. Text only ever enters as text.
(() => {
  const LOOK_MS = 4000;
  const PAGE = 10;
  const words = JSON.parse(document.getElementById("words").textContent);
  const at = (id) => document.getElementById(id);
  const message = at("message");
  let shown = "";
  let isBusy = false;

  const element = (name, text, ...children) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    made.append(...children);
    return made;
  };
  const money = ({ amount_minor, currency }) =>
    new Intl.NumberFormat(words.language, { style: "currency", currency, minimumFractionDigits: amount_minor % 100 ? 2 : 0 })
      .format(amount_minor / 100);
  const moment = (text) =>
    new Date(text).toLocaleString(words.language, { dateStyle: "medium", timeStyle: "short" });
  const day = (text) => new Date(text).toLocaleDateString(words.language, { dateStyle: "medium" });
  const say = (text) => {
    message.textContent = text || "";
    message.hidden = !text;
  };

  const act = async (work) => {
    if (isBusy) return;
    isBusy = true;
    say(words.working);
    try {
      const answer = await work();
      say(answer && answer.status === 202 ? words.in_queue : "");
    } catch (problem) {
      say(words[`problem.${problem.code}`] || words.went_wrong);
    } finally {
      isBusy = false;
    }
    await show();
  };
  const button = (text, work) => {
    const made = element("button", text);
    made.addEventListener("click", () => act(work));
    return made;
  };

  const pay = async (invoice) => {
    const answer = await session.command(`/invoices/${invoice.id}/pay`, { provider: "cloudpayments", method: "widget" });
    if (answer.status === 200) window.location.assign(answer.value.pay_url);
    return answer;
  };
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
    const buttons = element("p");
    buttons.className = "buttons";
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
    const card = element("div");
    card.className = "invoice";
    const title = `${words.invoice} ${invoice.number || ""} · ${money(invoice.total)}`;
    card.append(element("p", title), element("p", words[`invoice.${invoice.state}`]));
    if (invoice.period_start) {
      card.append(element("p", `${words.period} ${day(invoice.period_start)} – ${day(invoice.period_end)}`));
    }
    if (invoice.state === "open") card.append(element("p", `${words.link_pay_until} ${moment(invoice.expires_at)}`));
    const buttons = element("p");
    buttons.className = "buttons";
    if (invoice.allowed_actions.includes("pay")) {
      const made = button(words.pay, () => pay(invoice));
      made.className = "primary";
      buttons.append(made);
    }
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
    const card = element("article", "", element("h2", subscription.plan_name));
    card.className = "card";
    card.append(element("p", standing(subscription)));
    if (invoice) card.append(invoiceCard(invoice));
    card.append(cancelButtons(subscription));
    return card;
  };

  const load = async () => {
    const { value } = await session.call("GET", `/subscriptions?limit=${PAGE}`);
    return Promise.all(value.items.map(async (subscription) => ({
      subscription,
      invoice: subscription.latest_invoice_id
        ? (await session.call("GET", `/invoices/${subscription.latest_invoice_id}`)).value
        : null,
    })));
  };
  const place = (mine) => {
    const text = JSON.stringify(mine);
    if (text === shown) return;
    shown = text;
    const opened = [...document.querySelectorAll("#subscriptions details")].map((one) => one.open);
    at("subscriptions").replaceChildren(
      ...(mine.length ? mine.map(subscriptionCard) : [element("p", words.nothing_yet)]),
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
    one.addEventListener("click", () => act(() => session.command("/subscriptions", { price_id: one.dataset.price })));
  });
  at("demo")?.addEventListener("click", () => act(() => session.signIn("/demo/sign-in")));
  at("sign-out").addEventListener("click", () => act(() => session.signOut()));
  at("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    const { email, password } = Object.fromEntries(new FormData(event.target));
    const isNew = event.submitter && event.submitter.value === "register";
    const body = isNew ? { email, password, name: email.split("@")[0], locale: words.language } : { email, password };
    act(() => session.signIn(`/api/v1/auth/${isNew ? "register" : "login"}`, body));
  });
  window.setInterval(() => {
    if (document.visibilityState === "visible" && !isBusy && session.tokens()) show();
  }, LOOK_MS);
  show();
})();
