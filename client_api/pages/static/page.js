"use strict";
// What the pages of a customer share: words, elements, sums and times, one act at a time, and signing in.
// Text only ever enters as text.
const page = (() => {
  const MINOR_PER_MAJOR = 100;
  const words = JSON.parse(document.getElementById("words").textContent);
  const { timezone, now, lang } = document.querySelector("main").dataset;
  // The countdown of a hold goes by the studio's clock, not by this device's.
  const clockSkewMs = now ? Date.parse(now) - Date.now() : 0;
  const at = (id) => document.getElementById(id);
  const message = at("message");
  let isBusy = false;
  let show = async () => {};

  const element = (name, text, ...children) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    made.append(...children);
    return made;
  };
  const classed = (name, className, text, ...children) => {
    const made = element(name, text, ...children);
    made.className = className;
    return made;
  };
  const fill = (text, facts) => text.replace(/\{(\w+)\}/g, (whole, name) => facts[name] ?? whole);

  const sum = (amountMinor, currency) =>
    new Intl.NumberFormat(words.language, {
      style: "currency", currency, minimumFractionDigits: amountMinor % MINOR_PER_MAJOR ? 2 : 0,
    }).format(amountMinor / MINOR_PER_MAJOR);
  const money = ({ amount_minor, currency }) => sum(amount_minor, currency);
  // By the studio's clock, wherever this device is.
  const told = (text, style) => new Date(text).toLocaleString(words.language, { timeZone: timezone, ...style });
  const moment = (text) => told(text, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
  const day = (text) => told(text, { dateStyle: "medium" });
  const weekday = (text) => told(text, { weekday: "long", day: "numeric", month: "long" });
  // Of this year or the next, so without it.
  const shortMoment = (text) =>
    told(text, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const clock = (text) => told(text, { timeStyle: "short", hourCycle: "h23" });
  const studioNow = () => Date.now() + clockSkewMs;

  const link = (path) => {
    if (!lang) return path;
    return `${path}${path.includes("?") ? "&" : "?"}lang=${lang}`;
  };
  const go = (path) => window.location.assign(link(path));

  const say = (text) => {
    message.textContent = text || "";
    message.hidden = !text;
  };
  const problemText = ({ code, facts }) => fill(words[`problem.${code}`] || words.went_wrong, facts || {});

  // One thing at a time; a second press while the first is on its way does nothing.
  const act = async (work) => {
    if (isBusy) return;
    isBusy = true;
    say(words.working);
    try {
      const answer = await work();
      say(answer && answer.status === 202 ? words.in_queue : "");
    } catch (problem) {
      say(problemText(problem));
    } finally {
      isBusy = false;
    }
    await show();
  };
  const button = (text, work) => {
    const made = element("button", text);
    made.type = "button";
    made.addEventListener("click", () => act(work));
    return made;
  };
  const primary = (text, work) => {
    const made = button(text, work);
    made.className = "primary";
    return made;
  };
  const linkButton = (text, path) => {
    const made = classed("a", "button", text);
    made.href = link(path);
    return made;
  };

  const pay = async (invoiceId) => {
    const answer = await session.command(`/invoices/${invoiceId}/pay`, { provider: "cloudpayments", method: "widget" });
    if (answer.status === 200) go(answer.value.pay_url);
    return answer;
  };

  // `showNow` is called after everything that may have changed something, signing in and out too.
  const begin = (showNow, lookMs) => {
    show = showNow;
    at("demo")?.addEventListener("click", () => act(() => session.signIn("/demo/sign-in")));
    at("sign-out")?.addEventListener("click", () => act(() => session.signOut()));
    at("sign-in").addEventListener("submit", (event) => {
      event.preventDefault();
      const { email, password } = Object.fromEntries(new FormData(event.target));
      const isNew = event.submitter && event.submitter.value === "register";
      const body = isNew ? { email, password, name: email.split("@")[0], locale: words.language } : { email, password };
      act(() => session.signIn(`/api/v1/auth/${isNew ? "register" : "login"}`, body));
    });
    window.setInterval(() => {
      if (document.visibilityState === "visible" && !isBusy && session.tokens()) show();
    }, lookMs);
    return show();
  };

  return {
    timezone, words, at, element, classed, fill, sum, money, moment, shortMoment, day, weekday, clock, told, studioNow,
    link, go, say, problemText, act, button, primary, linkButton, pay, begin,
  };
})();
